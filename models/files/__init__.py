"""Files: atomic writes, digests, and directories with a manifest."""
