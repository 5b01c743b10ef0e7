"""Training of the next-behavior model."""
