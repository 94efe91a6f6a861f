"""Parses and edits queries: words, phrases, exclusions and filters."""
