"""What knows numbers: classification, attributes, tags, affinities, sessions. No clock, no Kafka."""
