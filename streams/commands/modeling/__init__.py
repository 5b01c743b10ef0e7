"""Commands that train, evaluate and deploy models."""
