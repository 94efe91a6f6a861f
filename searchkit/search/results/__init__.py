"""Turns ranked passages into hits: chooses passages, snippets and highlights."""
