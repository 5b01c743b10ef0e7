"""What those on call look at and do: topics, health, metrics, replay, dead letters."""
