"""Human feedback read from Kafka: its history per product, and its export as training data."""
