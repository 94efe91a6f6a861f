"""Finds damage in a collection's files."""

from searchkit.catalog.recovery_record import read_recovery_record
from searchkit.collection import Collection
from searchkit.reports import Damage


def verify_collection(collection: Collection) -> list[Damage]:
    """Find everything in a collection's files that is not as it was written; an empty list if nothing is damaged."""
    from searchkit.catalog.damage import find_damage
    from searchkit.index_store import find_index_damage

    folder = collection.folder
    found = find_damage(folder.catalog) + find_index_damage(folder)
    if read_recovery_record(folder) is None:
        found.append(Damage("keepsake", "collection.json (the backup of the folder list) is missing or damaged"))
    return found
