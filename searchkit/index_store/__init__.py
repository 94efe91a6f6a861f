"""Keeps a collection's derived index in step with the vectors in its catalog."""

from searchkit.index_store.generations import discard_index, find_index_damage, index_status
from searchkit.index_store.guesses import discard_guess_index, open_guess_index, write_guess_index
from searchkit.index_store.open import PreviousModel, open_index, refresh_index, wanted_spec

__all__ = [
    "PreviousModel",
    "discard_guess_index",
    "discard_index",
    "find_index_damage",
    "index_status",
    "open_guess_index",
    "open_index",
    "refresh_index",
    "wanted_spec",
    "write_guess_index",
]
