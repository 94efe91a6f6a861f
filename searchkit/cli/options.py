"""A command's options declared once, as the fields of the dataclass that the command is called with.

    @dataclass(frozen=True, slots=True)
    class _Request:
        collection: Annotated[str, argument(metavar="COLLECTION")]
        seed: Annotated[int, option("--seed", default=0, help="Seed of the split.")]

    @click.command()
    @with_options(_Request)
    def pairs(request: _Request) -> None: ...

The name of a field is the name of its parameter, whatever its flags are called. Knows nothing of any command.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar, get_origin, get_type_hints

import click

Request = TypeVar("Request")
Result = TypeVar("Result")
Kind = TypeVar("Kind", bound=StrEnum)
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
Declaration = Callable[[str], Decorator]
"""Adds a parameter of a given name to a command."""

PATH = click.Path(path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

_FROM_STANDARD_INPUT = ("-",)


class EnumChoice(click.Choice[str], Generic[Kind]):
    """One of the values of an enum, or of `some` of them; the command gets the member."""

    def __init__(self, kinds: type[Kind], some: Sequence[Kind] = ()) -> None:
        super().__init__([kind.value for kind in some or kinds])
        self._kinds = kinds

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Kind:
        """The member with this value; a usage error for any other."""
        return self._kinds(super().convert(str(value), param, ctx))


def text_of(words: Sequence[str]) -> str:
    """A text that was typed as arguments; a single hyphen reads it from standard input."""
    return sys.stdin.read().strip() if tuple(words) == _FROM_STANDARD_INPUT else " ".join(words)


def option(*flags: str, **attributes: Any) -> Declaration:
    """An option with these flags; the attributes are those of `click.option`."""
    return lambda name: click.option(*flags, name, **attributes)


def argument(**attributes: Any) -> Declaration:
    """A positional argument; the attributes are those of `click.argument`."""
    return lambda name: click.argument(name, **attributes)


def group(build: Callable[..., object], **declarations: Declaration) -> Declaration:
    """Several options that a command gets as one value: what `build` makes of them, named as here."""

    def declare(name: str) -> Decorator:
        def decorate(command: Callable[..., Result]) -> Callable[..., Result]:
            @wraps(command)
            def with_group(**values: Any) -> Result:
                own = {each: values.pop(each) for each in declarations}
                return command(**values, **{name: build(**own)})

            return _declared(with_group, declarations)

        return decorate

    return declare


def with_options(kind: type[Request]) -> Callable[[Callable[[Request], Result]], Callable[..., Result]]:
    """Give a command one argument, a `kind`: a dataclass whose fields are annotated with their options.

    Raises TypeError for a field that is not.
    """
    declarations = _declarations(kind)

    def decorate(command: Callable[[Request], Result]) -> Callable[..., Result]:
        @wraps(command)
        def with_values(**values: Any) -> Result:
            return command(kind(**values))

        return _declared(with_values, declarations)

    return decorate


def _declarations(kind: type) -> dict[str, Declaration]:
    """The options by field, in the order of the fields."""
    hints = get_type_hints(kind, include_extras=True)
    found = {}
    for field in fields(kind):
        hint = hints[field.name]
        if get_origin(hint) is not Annotated:
            raise TypeError(f"the field {field.name} of {kind.__name__} is not annotated with an option")
        found[field.name] = hint.__metadata__[0]
    return found


def _declared(command: Callable[..., Result], declarations: Mapping[str, Declaration]) -> Callable[..., Result]:
    """The command with the options, the first on top, as `--help` lists them."""
    for name, declaration in reversed(list(declarations.items())):
        command = declaration(name)(command)
    return command
