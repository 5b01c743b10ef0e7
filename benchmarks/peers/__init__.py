"""What shelfstream is compared with: small programs on other stream processors, all doing the same jobs."""
