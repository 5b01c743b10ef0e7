"""What knows bytes and fields: the events, their keys, codecs, envelopes and published contracts."""
