"""Model serving off the event loop: in a thread or a process, with shadow, canary and hot reload."""
