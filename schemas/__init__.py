"""The wire formats: events, record keys, codecs, record headers and published contracts."""
