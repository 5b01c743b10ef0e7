"""Export of pretrained text encoders to the served form."""
