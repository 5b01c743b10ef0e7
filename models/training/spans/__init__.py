"""Training of the Chinese span tagger."""
