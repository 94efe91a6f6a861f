"""Comparing search modes and indexes on judged queries."""
