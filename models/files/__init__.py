"""Files: atomic writes, digests."""
