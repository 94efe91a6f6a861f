"""Compound files as Office wrote them until 2003, made of streams by their paths."""

import struct
from collections.abc import Mapping

_SECTOR = 512
_SMALL = 4096  # shorter streams would need a file system within the file; they are filled up instead
_FREE, _END, _FAT, _NONE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF


def compound_file(streams: Mapping[str, bytes]) -> bytes:
    """A compound file; streams shorter than 4,096 bytes are in it at their own length, in a table of small sectors."""
    entries, contents = _tree(streams)
    sectors: list[bytes] = []
    chain: list[int] = []

    def add(content: bytes) -> int:
        start = len(sectors)
        count = max(1, -(-len(content) // _SECTOR))
        sectors.extend(content[i * _SECTOR : (i + 1) * _SECTOR].ljust(_SECTOR, b"\0") for i in range(count))
        chain.extend([*range(start + 1, start + count), _END])
        return start

    small = b""
    small_chain: list[int] = []
    starts: dict[int, int] = {}
    for number, content in contents.items():
        if len(content) >= _SMALL:
            starts[number] = add(content)
            continue
        starts[number] = len(small) // 64
        count = max(1, -(-len(content) // 64))
        first = len(small_chain)
        small_chain.extend([*range(first + 1, first + count), _END])
        small += content.ljust(count * 64, b"\0")
    small_start = add(small or b"\0")
    small_fat = add(b"".join(struct.pack("<I", n) for n in small_chain).ljust(_SECTOR, b"\xff"))
    directory = b""
    for number, (name, kind, children) in enumerate(entries):
        right = next((after[after.index(number) + 1] for _, _, after in entries if number in after[:-1]), _NONE)
        start, size = starts.get(number, 0), len(contents.get(number, b""))
        if number == 0:
            start, size = small_start, len(small)
        encoded = f"{name}\0".encode("utf-16-le")
        directory += encoded.ljust(64, b"\0") + struct.pack("<HBB", len(encoded), kind, 1)
        directory += struct.pack("<III", _NONE, right, children[0] if children else _NONE)
        directory += bytes(36) + struct.pack("<IQ", start, size)
    directory_start = add(directory.ljust(-(-len(directory) // _SECTOR) * _SECTOR, b"\0"))
    fat_count = 1
    while len(chain) + fat_count > fat_count * 128:
        fat_count += 1
    fat_start = len(sectors)
    chain.extend([_FAT] * fat_count)
    fat = b"".join(struct.pack("<I", n) for n in chain).ljust(fat_count * _SECTOR, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIII", 0, fat_count, directory_start, 0, _SMALL)
    header += struct.pack("<IIII", small_fat, 1, _END, 0)
    header += b"".join(struct.pack("<I", fat_start + i) for i in range(fat_count)).ljust(436, b"\xff")
    return header + b"".join(sectors) + fat


def _tree(streams: Mapping[str, bytes]) -> tuple[list[tuple[str, int, list[int]]], dict[int, bytes]]:
    """The directory's entries (name, type, children), and the streams by the numbers of their entries."""
    entries: list[tuple[str, int, list[int]]] = [("Root Entry", 5, [])]
    contents: dict[int, bytes] = {}
    ids = {"": 0}
    for path, content in streams.items():
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            name = "/".join(parts[:depth])
            if name not in ids:
                ids[name] = len(entries)
                entries[ids["/".join(parts[: depth - 1])]][2].append(ids[name])
                entries.append((parts[depth - 1], 2 if depth == len(parts) else 1, []))
        contents[ids[path]] = content
    return entries, contents
