"""Readers of PDF, scanned pages included."""
