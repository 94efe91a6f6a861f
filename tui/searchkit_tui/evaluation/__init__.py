"""Screens about evaluations: reports, and tuning an index."""
