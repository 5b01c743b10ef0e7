"""The peers of the comparison: small programs on other stream processors that do the same jobs."""
