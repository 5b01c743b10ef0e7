"""Evaluation of a served model: labeled titles, predictions, metrics, slices, and the report."""
