"""What a worker shows: metrics, health, status page, logs."""
