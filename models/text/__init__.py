"""Text: cleaning, tokens and hashed features, word lists, languages."""
