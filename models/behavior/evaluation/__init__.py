"""Evaluates what is learned from behavior: affinities, baskets, next items and next actions."""
