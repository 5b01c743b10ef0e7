"""The tests, by room, and what they share."""
