"""Model serving off the event loop: thread or process, shadow and canary, hot reload."""
