"""Drift: how far recent listings and decisions are from those of training."""
