"""Compares search modes and indexes on judged queries."""
