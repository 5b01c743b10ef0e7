"""From fetched records to a committed transaction: what makes batches fast and exactly once."""
