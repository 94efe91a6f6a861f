"""Compares nearest-neighbour engines: recall against latency, memory, disk, and the time of building and changing."""
