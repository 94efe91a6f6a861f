"""Nearest-neighbour engines compared: recall against latency, memory, disk, and the time of building and changing."""
