"""Label checks: contradictions and likely errors."""
