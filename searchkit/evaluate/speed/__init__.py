"""Compares the speed and the fidelity of embedding engines."""
