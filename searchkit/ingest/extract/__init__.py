"""Turns files into blocks of text with provenance: one module per format, chosen by the file's name."""
