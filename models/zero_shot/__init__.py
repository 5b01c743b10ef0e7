"""Zero-shot classification by category names, without training."""
