"""Keeps a collection's index, which is derived, in step with the vectors in its catalog, which are the truth."""

from searchkit.vector_store.generations import discard_index, find_index_damage, index_status
from searchkit.vector_store.store import Forerunner, open_index, refresh_index

__all__ = ["Forerunner", "discard_index", "find_index_damage", "index_status", "open_index", "refresh_index"]
