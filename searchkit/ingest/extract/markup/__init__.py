"""Readers of markup: Markdown, HTML, EPUB, Org, reStructuredText."""
