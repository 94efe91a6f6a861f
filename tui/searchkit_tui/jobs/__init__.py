"""Background jobs of the UI: index runs and the rest, with progress."""
