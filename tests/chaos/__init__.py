"""Faults under load, on a real Kafka: what was lost, what came twice, and how long it took to go on."""
