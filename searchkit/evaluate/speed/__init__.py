"""Comparing the speed and fidelity of embedding engines."""
