"""The classifier on a GPU: the text encoders in half precision, and the whole cascade as one program."""
