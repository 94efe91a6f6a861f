"""The lexical arm: BM25 over the full-text table, and exact matches."""
