"""Pairs of a query and its passage: where they come from, and how they are kept."""
