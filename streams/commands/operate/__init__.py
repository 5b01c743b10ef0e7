"""Commands for the on-call engineer."""
