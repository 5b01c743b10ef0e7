"""What happens to the records of each topic: enrichment, sessions, affinity."""
