"""Understanding a query: its words, phrases, exclusions and filters."""
