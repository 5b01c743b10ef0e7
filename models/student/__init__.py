"""The student: a bag of hashed n-grams that classifies a title in microseconds."""
