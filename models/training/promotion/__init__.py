"""The promotion gate: a candidate against the model that serves."""
