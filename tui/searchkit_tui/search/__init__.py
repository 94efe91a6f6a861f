"""The search screen: the query, the hits, the preview."""
