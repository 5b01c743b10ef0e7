"""Replay of topic ranges and redrive of dead letters."""
