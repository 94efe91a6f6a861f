"""The terminal UI: built on the engine's public face only."""
