"""How good a model is: labelled titles, what the model says of them, measures, and the report."""
