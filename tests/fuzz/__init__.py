"""A seeded fuzzer: every record has one defined outcome, and the worker does not stop."""
