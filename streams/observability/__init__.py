"""Observability of a worker: metrics, health, status page and logs."""
