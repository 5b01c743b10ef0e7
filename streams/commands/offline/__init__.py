"""Commands that work on files without Kafka."""
