"""Models of products and shoppers: categories, attributes, tags, sessions, affinity. No clock, no Kafka."""
