"""Compares chunkers on documents with known answers."""
