"""Training data and evaluation of attribute extraction."""
