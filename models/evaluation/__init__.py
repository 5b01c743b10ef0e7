"""How good a model is: labeled titles, what the model says of them, measures, and the report."""
