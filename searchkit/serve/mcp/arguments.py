"""Arguments of tools: how they are described to a model, and how what it sends is read.

Schemas use plain types only, no unions and no nulls, which some clients refuse; "" and 0 mean a missing value. Values
that models send instead (null, "5", 5.0, the year 2025 as a number) are understood; invented ones are refused.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from searchkit.errors import UsageError


@dataclass(frozen=True, slots=True)
class Text:
    """A text; "" if it is not given, unless it is required."""

    name: str
    description: str
    is_required: bool = False

    @property
    def schema(self) -> dict[str, object]:
        """The JSON Schema of the argument."""
        default: dict[str, object] = {} if self.is_required else {"default": ""}
        return {"type": "string", "description": self.description, **default}

    def read(self, value: object) -> str:
        """Read a text. Raises UsageError for anything else."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise UsageError(f"{self.name} must be a text, not {_kind(value)}.")
        return str(value)


@dataclass(frozen=True, slots=True)
class Count:
    """A positive number; 0 means the default, and larger numbers mean the maximum."""

    name: str
    description: str
    usual: int
    most: int
    is_required: bool = False

    @property
    def schema(self) -> dict[str, object]:
        """The JSON Schema of the argument."""
        return {
            "type": "integer",
            "description": self.description,
            "default": self.usual,
            "minimum": 0,
            "maximum": self.most,
        }

    def read(self, value: object) -> int:
        """Read a number. Raises UsageError for anything else."""
        if isinstance(value, str) and len(value) < 20 and (value.strip().isdecimal() or not value.strip()):
            value = int(value.strip() or 0)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            shown = value if isinstance(value, int | float) else _kind(value)
            raise UsageError(f"{self.name} must be a whole number from 1 to {self.most}, not {shown}.")
        return min(value, self.most) or self.usual


Argument = Text | Count


def schema_of(arguments: Sequence[Argument]) -> dict[str, object]:
    """Return the JSON Schema of all arguments of a tool."""
    return {
        "type": "object",
        "properties": {argument.name: argument.schema for argument in arguments},
        "required": [argument.name for argument in arguments if argument.is_required],
        "additionalProperties": False,
    }


def read_arguments(tool: str, arguments: Sequence[Argument], given: Mapping[str, object]) -> dict[str, str | int]:
    """Return a value for every argument. Raises UsageError for one that is unknown, missing or of another type."""
    known = {argument.name: argument for argument in arguments}
    for name in given:
        if name not in known:
            raise UsageError(_unknown(tool, name, list(known)))
    values: dict[str, str | int] = {}
    for name, argument in known.items():
        value = given.get(name)
        if value is None and argument.is_required:
            raise UsageError(f"{tool} needs the argument {name}.")
        values[name] = argument.read(value if value is not None else "" if isinstance(argument, Text) else 0)
    return values


def _unknown(tool: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    has = f"Its arguments: {', '.join(known)}." if known else "It takes none."
    return f"{tool} has no argument {name[:60]!r}.{hint} {has}"


def _kind(value: object) -> str:
    """Name the type of a value in JSON's terms."""
    names = {bool: "true or false", str: "a text", list: "a list", dict: "an object", type(None): "null"}
    return names.get(type(value), "a number with a fraction")
