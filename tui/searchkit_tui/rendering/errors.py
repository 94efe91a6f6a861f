"""Words errors for the UI: what happened, and what to do about it, in the UI's own terms where it can be done there."""

from collections.abc import Mapping

from searchkit.display import choices_of, command_line, either, remedy_words, sentences
from searchkit.errors import Action, Option, Remedy, SearchkitError

# Where in the UI an action is, by the labels that footer, menu and palette show; "" where its words say enough.
_PLACES: Mapping[Action, str] = {
    Action.ADVICE: "",
    Action.INDEX_FOLDER: "Collections › Add folder",
    Action.RESUME_INDEXING: "Collections › Index",
    Action.EMBED_ALL: "Collections › Lazy",
    Action.WAIT: "",
    Action.REBUILD: "Collections › Rebuild",
    Action.SEE_COLLECTIONS: "Collections",
    Action.SEE_STATUS: "Collections",
    Action.SEE_PROBLEMS: "Collections › Problems",
    Action.SEARCH: "",
    Action.SEARCH_BY_WORDS: "Mode",
    Action.ASK: "Ask",
    Action.USE_MODEL: "Collections › Switch model",
    Action.EVALUATE: "Collections › Evaluations",
}
# What options of the command are here; others need no value of their own.
_SETTINGS: Mapping[Option, str] = {
    Option.LLM: "base_url in [llm] of config.toml",
    Option.LLM_FILE: "gguf in [llm] of config.toml",
    Option.LLM_MODEL: "model in [llm] of config.toml",
}
_NOT_HERE = frozenset({Option.EMBEDDED_LLM, Option.NO_LLM})


def error_text(error: SearchkitError) -> str:
    """Word an error: what happened, and what can be done about it."""
    choices = [choice for choice in choices_of(error) if choice.option not in _NOT_HERE]
    return sentences(str(error), either([_advice(choice) for choice in choices]))


def _advice(remedy: Remedy) -> str:
    """Say what to do and where; what cannot be done in the UI has its command."""
    words = remedy_words(remedy)
    if remedy.action is Action.CHANGE_OPTION:
        place = _SETTINGS.get(remedy.option, "") if remedy.option else ""
    elif remedy.action is Action.INDEX_FOLDER and remedy.path:
        place = str(remedy.path)
    elif remedy.action in _PLACES:
        place = _PLACES[remedy.action]
    else:
        return command_line(remedy)
    return f"{words}: {place}" if place and place not in words else f"{words}."
