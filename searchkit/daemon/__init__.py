"""Searching through the engine of a server that runs already, which has models and indexes loaded."""
