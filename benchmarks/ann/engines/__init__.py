"""The engines to compare ours with, one module per library."""
