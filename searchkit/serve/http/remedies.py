"""What a client of the server is advised to do about an error. Commands are for whoever runs the server, and are not named."""

from collections.abc import Mapping

from searchkit.display import as_clause, choices_of, either, remedy_words, sentences
from searchkit.errors import Action, Option, Remedy, SearchkitError

# What a client can do by itself; anything else is up to whoever runs the server.
_BY_CLIENT = frozenset(
    {
        Action.ADVICE,
        Action.ASK,
        Action.SEARCH,
        Action.SEARCH_BY_WORDS,
        Action.SEE_COLLECTIONS,
        Action.SEE_STATUS,
        Action.WAIT,
    }
)
# How it is done here, where that is worth saying.
_HOW: Mapping[Action, str] = {
    Action.CHANGE_SETTING: "{setting} of config.toml",
    Action.SEARCH_BY_WORDS: '"mode": "lexical"',
    Action.SEE_COLLECTIONS: "GET /collections",
    Action.SEE_STATUS: "GET /collections",
}
_NOT_HERE = frozenset({Option.NO_LLM})  # options of the command's that a server has no use for


def error_text(error: SearchkitError) -> str:
    """An error as a client is told of it: what happened, what the client can do, and what has to be done at the server."""
    choices = [choice for choice in choices_of(error) if choice.option not in _NOT_HERE]
    by_client = either([_said(choice) for choice in choices if choice.action in _BY_CLIENT])
    by_owner = either([_said(choice) for choice in choices if choice.action not in _BY_CLIENT])
    return sentences(str(error), by_client, f"Where the server runs: {as_clause(by_owner)}" if by_owner else "")


def _said(remedy: Remedy) -> str:
    how = _HOW.get(remedy.action, "").format(setting=remedy.setting)
    return f"{remedy_words(remedy)}: {how}" if how else f"{remedy_words(remedy)}."
