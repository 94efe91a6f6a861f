"""Checks of an answer against its sources: citations, claims and numbers."""
