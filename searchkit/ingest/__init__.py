"""Turns a folder into chunks with vectors: discover, extract, chunk, sync, embed."""
