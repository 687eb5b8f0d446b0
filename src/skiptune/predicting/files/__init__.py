"""Files of answers: many rows asked part by part, kept while they are answered, joined in the end."""
