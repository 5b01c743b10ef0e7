"""Training data: labeled rows, human feedback, corrections, near-duplicates."""
