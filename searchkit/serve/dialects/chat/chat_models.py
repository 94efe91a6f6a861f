"""The names under which collections answer as chat models."""

from collections.abc import Collection, Sequence

from searchkit.errors import UsageError

EVERYTHING = "searchkit"
_PREFIX = f"{EVERYTHING}/"


def chat_models(collections: Sequence[str], taken: Collection[str] = ()) -> list[str]:
    """All collections as one model, then each by its name; one whose name something else has, as `searchkit/NAME`."""
    own = [name if name not in (EVERYTHING, *taken) else f"{_PREFIX}{name}" for name in collections]
    return [EVERYTHING, *own] if collections else []


def collections_of(model: str, collections: Sequence[str]) -> tuple[str, ...]:
    """The collections that a model answers from, none for all. Raises UsageError for a name that is none."""
    if model == EVERYTHING:
        return ()
    name = model.removeprefix(_PREFIX)
    if name not in collections:
        raise UsageError(
            f"There is no chat model '{model[:80]}'. There are: {', '.join(chat_models(collections)) or 'none'}."
        )
    return (name,)
