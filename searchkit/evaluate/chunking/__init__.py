"""Comparing ways of cutting documents."""
