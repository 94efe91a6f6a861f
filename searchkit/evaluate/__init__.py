"""Measures how good and how fast searchkit is: metrics, judged data sets, comparisons with other engines."""
