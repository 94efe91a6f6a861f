"""Checks of an answer against its sources: citations, claims, numbers, and text that is safe to show."""
