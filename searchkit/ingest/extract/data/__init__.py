"""Readers of structured data: configuration, tables, notebooks, subtitles."""
