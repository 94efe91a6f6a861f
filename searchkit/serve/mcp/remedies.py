"""What a model is advised to do about an error: by itself with the tools, or by asking the user to run a command."""

from collections.abc import Mapping

from searchkit.display import as_clause, choices_of, command_line, either, remedy_words, sentences
from searchkit.errors import Action, Remedy, SearchkitError

# What a model can do by itself, and how where that is worth saying; anything else is up to the user.
_BY_MODEL: Mapping[Action, str] = {
    Action.ADVICE: "",
    Action.ASK: "",
    Action.SEARCH: "",
    Action.SEE_COLLECTIONS: "call status",
    Action.SEE_STATUS: "call status",
    Action.WAIT: "",
}


def error_text(error: SearchkitError) -> str:
    """An error as a model is told of it: what happened, what to call next, and what the user can do."""
    choices = choices_of(error)
    by_model = either([_said(choice) for choice in choices if choice.action in _BY_MODEL])
    by_user = either([command_line(choice) for choice in choices if choice.action not in _BY_MODEL])
    return sentences(str(error), by_model, f"The user can {as_clause(by_user)}" if by_user else "")


def _said(remedy: Remedy) -> str:
    how = _BY_MODEL[remedy.action]
    return f"{remedy_words(remedy)}: {how}." if how else f"{remedy_words(remedy)}."
