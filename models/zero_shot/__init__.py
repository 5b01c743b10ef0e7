"""Classification by category names alone, without training."""
