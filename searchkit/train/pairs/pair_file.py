"""Reads and writes pair files, which people can read and edit: one JSON object per line.

Fields: query, title, text, kind, document, split, stored, negatives. Only query and text are required.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from searchkit.errors import Action, Remedy, TrainingError
from searchkit.files import write_atomically
from searchkit.train.pairs.pair import Kind, Pair, Split
from searchkit.types import Passage

_Choice = TypeVar("_Choice", bound=StrEnum)


def write_pairs(file: Path, pairs: Iterable[Pair]) -> None:
    """Write a pair file, whole or not at all."""
    lines = (json.dumps(_as_json(pair), ensure_ascii=False) for pair in pairs)
    write_atomically(file, "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))


def _as_json(pair: Pair) -> dict[str, Any]:
    passage = {"title": pair.passage.title, "text": pair.passage.text}
    rest = {"kind": pair.kind, "document": pair.document, "split": pair.split, "stored": pair.stored}
    return {"query": pair.query, **passage, **rest, "negatives": [asdict(negative) for negative in pair.negatives]}


def read_pairs(file: Path) -> list[Pair]:
    """Read the pairs of a file; those without a split are for training.

    Raises TrainingError for anything that is not such a file.
    """
    try:
        lines = file.read_text("utf-8-sig").split(
            "\n"
        )  # not splitlines: JSON may contain U+2028 and the like unescaped
    except UnicodeDecodeError as error:
        raise TrainingError(
            f"{file} is not UTF-8 (byte {error.start + 1:,}).", remedy="Save it as UTF-8, one JSON object per line."
        ) from error
    except OSError as error:
        raise TrainingError(
            f"{file} cannot be read ({error.strerror}).", remedy=Remedy(Action.MAKE_PAIRS, sentence="Make one")
        ) from error
    pairs = list(_parsed(file, lines))
    if not pairs:
        raise TrainingError(f"{file} contains no pairs.", remedy=Remedy(Action.MAKE_PAIRS))
    return pairs


def _parsed(file: Path, lines: Sequence[str]) -> Iterator[Pair]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _pair(_object(line), f"{file.name}#{number}")
        except ValueError as error:
            wanted = '{"query": "…", "text": "…"}, and "title", "document", "split", "negatives" if you like'
            raise TrainingError(f"{file}, line {number}: {error}.", remedy=f"Write {wanted}.") from error


def _object(line: str) -> dict[str, Any]:
    """A line's fields. Raises ValueError with a message for people."""
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON at column {error.colno:,} ({error.msg.removesuffix(' at')})") from error
    except (ValueError, RecursionError) as error:  # numbers without end, brackets without end
        raise ValueError("not usable JSON") from error
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def _pair(fields: dict[str, Any], place: str) -> Pair:
    query, text = (_text(fields, name) for name in ("query", "text"))
    if not (query.strip() and text.strip()):
        raise ValueError("query and text must not be empty")
    stored = _text(fields, "stored")
    if not re.fullmatch(r"(?:[0-9a-f]{2})*", stored):
        raise ValueError("stored must be what `train pairs` wrote, or be left out")
    return Pair(
        query=query,
        passage=Passage(_text(fields, "title"), text),
        kind=_choice(Kind, fields, "kind", Kind.USER),
        document=_text(fields, "document") or place,
        split=_choice(Split, fields, "split", Split.TRAIN),
        stored=stored,
        negatives=_negatives(fields),
    )


def _negatives(fields: dict[str, Any]) -> tuple[Passage, ...]:
    found = fields.get("negatives") or []
    if not (isinstance(found, list) and all(isinstance(one, dict) for one in found)):
        raise ValueError('negatives must be a list of {"text": "…"}')
    negatives = tuple(Passage(_text(one, "title"), _text(one, "text")) for one in found)
    if not all(negative.text.strip() for negative in negatives):
        raise ValueError("a negative has no text")
    return negatives


def _text(fields: dict[str, Any], name: str) -> str:
    """A field's text, "" for none, without characters that tokenizers reject."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} must be a string")
    return (value or "").encode("utf-8", "replace").decode().replace("\0", " ")


def _choice(choices: type[_Choice], fields: dict[str, Any], name: str, usual: _Choice) -> _Choice:
    value = _text(fields, name)
    if value and value not in list(choices):
        raise ValueError(f"{name} '{value}' is not one of {', '.join(choices)}")
    return choices(value) if value else usual
