"""Words for people, the same in the command and the UI: places, reasons, numbers, notes, text that is safe to show."""

import errno
import json
import os
import re
import shlex
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from searchkit.display.installation import Installation, program
from searchkit.errors import Action, Option, Remedy, SearchkitError
from searchkit.reports import CollectionStatus, Coverage, Progress
from searchkit.types import MEANINGLESS_MODEL, NO_MODEL_AT_INDEXING, NO_MODEL_INSTALLED, Hit, Note, NoteKind

_CONTROL = {code: None for code in range(32) if code not in (9, 10)} | {127: None} | dict.fromkeys(range(0x80, 0xA0))
_CONTROL |= dict.fromkeys((*range(8234, 8239), *range(8294, 8298)))  # which reverse the direction of a line
_ESCAPED = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
GET_A_MODEL = (
    "Quoted from your files. A language model would answer in words of its own: start Ollama, llama.cpp, LM Studio or vLLM on this"
    " machine, or name one with --llm (searchkit docs ask)."
)
_TERMS_SHOWN = 8
_COPIES_NAMED = 3
_NAME_CHARACTERS = 40
_QUIET_SECONDS = 5.0  # of a stage
_SAY_AGAIN_SECONDS = 10.0
_ADDRESS = re.compile(r"<[^<>]*>")


def printable(text: str) -> str:
    """Text without control characters, which could steer the terminal, and without lone surrogates."""
    return text.translate(_CONTROL).encode("utf-8", "replace").decode("utf-8")


def json_text(value: object) -> str:
    """JSON in which control characters of every kind are escaped: JSON itself lets U+009B pass, which steers a terminal."""
    return json.dumps(value, ensure_ascii=False).translate(_ESCAPED)


def on_one_line(text: str) -> str:
    """Printable text in which line ends and tabs, as in a file's name, are shown as symbols."""
    return printable(text.replace("\n", "␊").replace("\t", "␉"))


def place(hit: Hit) -> str:
    """`path:14 (12–18)`, `path, page 3` or `path, slide 3`; paths below the current folder or the home are shown from there.

    The line is that of the sentence that answers, with the passage's beside it; or the passage's first. Rows of a table of lines
    have theirs too: `path:5, rows 2–5`.
    """
    path = on_one_line(_shortest(hit.path))
    has_choice = hit.marked_line is not None and hit.line != hit.line_end
    if hit.place:
        return f"{path}{f':{hit.marked_line}' if has_choice else ''}, {on_one_line(hit.place)}"
    if hit.page is not None:
        return f"{path}, page {hit.page}"
    if has_choice:
        return f"{path}:{hit.marked_line} ({hit.line}–{hit.line_end})"
    return f"{path}:{hit.line}" if hit.line is not None else path


def correspondence(hit: Hit, *, with_date: bool = True) -> str:
    """`from Anna Müller, 2025-03-02`: who sent a mail and when; "" for everything else. A date that the place has is left out."""
    if not hit.sender:
        return ""
    name = _ADDRESS.sub("", hit.sender).strip(" \"'") or hit.sender.strip("<>")
    shown = name if len(name) <= _NAME_CHARACTERS else f"{name[: _NAME_CHARACTERS - 1]}…"
    date = f", {hit.date}" if with_date and hit.date and hit.date not in hit.place else ""
    return f"from {on_one_line(shown)}{date}"


def reason(hit: Hit, *, with_cosine: bool = True) -> str:
    """`meaning 0.61 · words: lease, end · and 2 more copies (a.md, b.md)`: the evidence, as far as there is any."""
    parts = []
    if hit.evidence.similarity is not None:
        parts.append(f"meaning {hit.evidence.similarity:.2f}" if with_cosine else "meaning")
    if hit.evidence.found_by == ("provisional",):
        parts.append("meaning guessed, not read yet")
    if hit.evidence.terms:
        parts.append(f"words: {', '.join(hit.evidence.terms[:_TERMS_SHOWN])}")
    if hit.copies:
        copies = "copy" if hit.copies == 1 else "copies"
        parts.append(f"and {hit.copies} more {copies} ({_names(hit.copies_at)})")
    return printable(" · ".join(parts))


def alike(hit: Hit) -> str:
    """`and 6 more like it (2025-03-02.md, 2025-03-09.md, …)`: the hits that say the same; "" if there are none."""
    if not hit.alike:
        return ""
    return f"and {len(hit.alike)} more like it ({_names(each.path for each in hit.alike)})"


def _names(paths: Iterable[Path]) -> str:
    """The first few names of some files."""
    names = list(dict.fromkeys(on_one_line(path.name) for path in paths))
    return f"{', '.join(names[:_COPIES_NAMED])}{', …' if len(names) > _COPIES_NAMED else ''}"


def note_text(note: Note) -> str:
    """Word a note as a sentence; what can be done about it depends on the front end."""
    match note.kind:
        case NoteKind.NOTHING_FOUND | NoteKind.FILES_BY_NAME | NoteKind.RECENT_FILES:
            return _on_files(note)
        case NoteKind.PHRASES_NOT_FOUND | NoteKind.CORRECTED | NoteKind.QUERY_CUT:
            return _on_words(note)
        case NoteKind.ALL_WEAK:
            return "Nothing here is clearly about that; these are only the nearest passages."
        case NoteKind.FILTER_MISREAD:
            none = "it is not a filter" if len(note.values) == 1 else "they are not filters"
            return (
                f"Searched for {', '.join(note.values)} as text, since {none}. Filters are written type:pdf, path:*.md,"
                " folder:notes, since:2025-03, until:yesterday, and of mail from:anna, to:, subject:, has:attachment."
            )
        case NoteKind.PARTLY_READ | NoteKind.PARTLY_EMBEDDED | NoteKind.MORE_TO_COME | NoteKind.UNREACHABLE:
            return f"{note.collection}: {_on_coverage(note)}."
        case NoteKind.MEANINGLESS | NoteKind.WORDS_ONLY:
            by_words = note.kind is NoteKind.WORDS_ONLY
            searched = "searched by words alone" if by_words else "the order of these passages means little"
            names = ", ".join(note.values)
            return f"{f'{names}: {searched}' if names else searched.capitalize()}: {note.reason.rstrip('.')}."


def _on_coverage(note: Note) -> str:
    if note.kind is NoteKind.PARTLY_READ:
        verb = "has" if note.files == 1 else "have"
        return f"{plural(note.files, 'file')} {verb} not been read yet, and cannot be found{_meanwhile(note)}"
    if note.kind is NoteKind.UNREACHABLE:
        return f"it was not searched, since {note.reason.rstrip('.')}"
    if note.kind is NoteKind.MORE_TO_COME:
        return "the order by meaning is still to come; it takes about a second more"
    read = f"{note.vectors:,} of {note.passages:,} passages"
    if note.lazy:
        return f"the model has read {read}, and reads others as questions ask for them{_meanwhile(note)}"
    return f"{read} can be found by meaning so far{_meanwhile(note)}"


def _meanwhile(note: Note) -> str:
    return f"; it is {note.reason}" if note.reason else ""


def _on_files(note: Note) -> str:
    if note.kind is NoteKind.NOTHING_FOUND:
        return f"Nothing found {'; '.join(note.values)}." if note.values else "Nothing found."
    asked = " ".join(note.values)
    if note.kind is NoteKind.FILES_BY_NAME:
        return f"Files named {asked}…"
    return f"Recent files: {asked} alone says too little" if asked else "Recent files"


def _on_words(note: Note) -> str:
    if note.kind is NoteKind.PHRASES_NOT_FOUND:
        return f"No passage contains {' and '.join(map(repr, note.values))} as written; these are the nearest."
    if note.kind is NoteKind.QUERY_CUT:
        return f"The query is long: of its {note.values[1]} words the model has read the first {note.values[0]}."
    pairs = zip(note.values[1::2], note.values[::2], strict=True)
    return f"Showing {', '.join(f'{shown} for {typed}' for shown, typed in pairs)}. Quoted words are never corrected."


def note_remedy(note: Note) -> Remedy | None:
    """What can be done about a note, None if nothing or if its text says so."""
    if note.kind in (NoteKind.PARTLY_READ, NoteKind.PARTLY_EMBEDDED):
        return None if note.reason else _to_continue(note)  # what is under way need not be begun
    if note.remedy is not None:
        return note.remedy
    if note.kind is NoteKind.WORDS_ONLY and note.reason == NO_MODEL_AT_INDEXING:
        return Remedy(Action.RESUME_INDEXING, collection=note.collection, sentence="Embed it")
    if note.reason == MEANINGLESS_MODEL:
        return Remedy(Action.USE_MODEL, collection=note.collection, sentence="Switch to another")
    if note.kind is NoteKind.WORDS_ONLY and note.reason == NO_MODEL_INSTALLED:
        return Remedy(Action.PULL_MODEL)
    return None


def _to_continue(note: Note) -> Remedy:
    if note.lazy:
        return Remedy(Action.EMBED_ALL, collection=note.collection, sentence="To have it read all")
    words = "To continue" if note.kind is NoteKind.PARTLY_EMBEDDED else "Unless that is under way"
    return Remedy(Action.RESUME_INDEXING, collection=note.collection, sentence=words)


def local_time(moment: str) -> str:
    """`2026-11-30 21:04`: a moment in ISO 8601 as clocks show it where this runs; a text that is none stays as it is."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return printable(moment)


def clock_time() -> str:
    """`21:04:12`: what the clock shows, before a line about something that has just happened."""
    return time.strftime("%H:%M:%S")


def time_left(seconds: float) -> str:
    """A duration for people: `less than a minute`, `about 12 min`, `about 3 h`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    return f"about {minutes} min" if minutes < 100 else f"about {round(minutes / 60)} h"


def progress_left(of: CollectionStatus | Coverage, unread: int) -> str:
    """`, about 12 min left`, or `, 340 files still to be read`: what a run that is under way has left; "" if that is not known."""
    if unread:
        return f", {plural(unread, 'file')} still to be read"
    seconds = of.seconds_left
    return f", {time_left(seconds)} left" if seconds is not None else ""


def being_written(status: CollectionStatus) -> str:
    """`being indexed, about 12 min left`: what another process does to a collection now; "" if none does anything."""
    if status.writer is None:
        return ""
    return f"being {status.writer.work}{progress_left(status, status.files_to_read)}"


class ProgressLines:
    """A listener that has `say` show how far work is, a line now and then, where it takes longer than a moment.

    For logs, pipes and terminals that cannot draw a bar, and for upgrades of catalogs, which may come in the middle of other work.
    """

    def __init__(self, say: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._stage = ""
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        """Say how far it is, unless that has just been said."""
        now = self._clock()
        if progress.stage != self._stage:
            self._stage, self._next = progress.stage, now + _QUIET_SECONDS
        if now >= self._next:
            self._next = now + _SAY_AGAIN_SECONDS
            self._say(f"{progress.stage}{_amount(progress)}")


def _amount(progress: Progress) -> str:
    """`: 12 of 40 files`, `: 65 %, measuring its scale`; of work that nobody has counted, `…`."""
    note = f", {progress.note}" if progress.note else ""
    if progress.unit == "%":
        return f": {progress.done} %{note}"
    if progress.total is None:
        return f": {progress.done:,} {progress.unit}{note}" if progress.done else f" …{note}"
    return f": {progress.done:,} of {progress.total:,} {progress.unit}{note}"


def size(count_bytes: int) -> str:
    """A number of bytes for people."""
    amount = float(count_bytes)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def command(*words: str) -> str:
    """A searchkit command to copy into a shell: names with blanks and special characters are quoted."""
    return shlex.join((program(), *words))


def error_text(error: SearchkitError) -> str:
    """Word an error for the command line: what happened, and the commands that help."""
    return sentences(str(error), either([command_line(choice) for choice in choices_of(error)]))


def os_error_text(error: OSError) -> str:
    """What the machine refuses, and what can be done about it."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list) and error.args[0]:  # of many files
        error = OSError(errno.ENOSPC if "No space left" in str(error.args[0][0][2]) else 0, str(error.args[0][0][2]))
    where = on_one_line(os.fsdecode(error.filename)) if error.filename else ""
    what = f"{where}: {error.strerror or error}" if where else error.strerror or str(error)
    if error.errno == errno.ENOENT and not _has_current_folder():
        return "The folder in which this was typed no longer exists. Change to another one."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{what}. Free some space, then type the same again: what was finished before is kept."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{what}. Make that possible, or choose another data directory (SEARCHKIT_HOME)."
    return f"{what}. Nothing done before is lost; --debug shows where it happened."


def _has_current_folder() -> bool:
    try:
        return Path.cwd().is_dir()
    except OSError:
        return False


def remedy_text(remedy: Remedy) -> str:
    """Word a remedy with its alternatives for the command line."""
    return either([command_line(choice) for choice in remedy.choices()])


def choices_of(error: SearchkitError) -> list[Remedy]:
    """The remedies for an error, the best first."""
    return list(error.remedy.choices()) if error.remedy else []


def command_line(remedy: Remedy) -> str:
    """One thing to do, and the command or option for it: `Index a folder: searchkit index FOLDER`."""
    how = remedy_command(remedy)
    return f"{remedy_words(remedy)}: {how}" if how else f"{remedy_words(remedy)}."


def remedy_words(remedy: Remedy) -> str:
    """One thing to do in plain words, without a full stop."""
    if remedy.sentence:
        return remedy.sentence.removesuffix(".")
    if remedy.action is Action.INDEX_FOLDER and (remedy.path or remedy.collection):
        return "Index the whole folder" if remedy.path else "Create it"
    if remedy.action is Action.IMPORT_MODEL and remedy.model:
        return "Import it again"
    return _WORDS[remedy.action]


def remedy_command(remedy: Remedy) -> str:
    """The command or option for one thing to do, "" if there is none."""
    return _COMMANDS[remedy.action](remedy)


def either(choices: Sequence[str]) -> str:
    """Sentences and commands as alternatives: `Check it: searchkit verify; or rebuild it.` "" if there is none."""
    first, *others = [choice.removesuffix(".") for choice in choices] or [""]
    end = "." if choices and choices[-1].endswith(".") else ""
    return "; or ".join((first, *map(as_clause, others))) + end


def as_clause(sentence: str) -> str:
    """Fit a sentence after a colon or a semicolon: without its capital, unless it begins with a name in capitals."""
    return sentence[:1].lower() + sentence[1:] if not sentence[1:2].isupper() else sentence


def sentences(*texts: str) -> str:
    """Join texts, each but the last with its full stop; empty ones are left out."""
    *before, last = [text for text in texts if text] or [""]
    return " ".join((*(text if text.endswith((".", "!", "?", "…")) else f"{text}." for text in before), last))


def plural(count: int, noun: str) -> str:
    """`1 file`, `2 files`, `2 searches`."""
    ending = "" if count == 1 else "es" if noun.endswith(("s", "x", "ch", "sh")) else "s"
    return f"{count:,} {noun}{ending}"


def _index_command(remedy: Remedy) -> str:
    collection = ("-c", remedy.collection) if remedy.collection else ()
    return command("index", str(remedy.path or "FOLDER"), *collection)


def _shortest(path: Path) -> str:
    for base, mark in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(base):
            return f"{mark}{path.relative_to(base)}"
    return str(path)


# The name of each action, the same in all front ends, which add how to do it there.
_WORDS: Mapping[Action, str] = {
    Action.ADVICE: "Try again",
    Action.CHANGE_OPTION: "Try again with another value",
    Action.CHANGE_SETTING: "Change the setting",
    Action.INDEX_FOLDER: "Index a folder",
    Action.RESUME_INDEXING: "Continue indexing",
    Action.EMBED_ALL: "Embed all of it",
    Action.WAIT: "Wait for it",
    Action.VERIFY: "See what is wrong",
    Action.REBUILD: "Rebuild it",
    Action.NAME_FOLDERS: "Name its folders",
    Action.FORGET: "Forget that first",
    Action.MOVE: "Move it there",
    Action.SEE_COLLECTIONS: "See what there is",
    Action.SEE_STATUS: "See what is indexed",
    Action.SEE_PROBLEMS: "See why it was left out",
    Action.SEARCH: "Say what you are looking for",
    Action.SEARCH_BY_WORDS: "Search by words",
    Action.ASK: "Ask in plain words",
    Action.PULL_MODEL: "Get one",
    Action.INSTALL_SMALL_MODEL: "Get the small one",
    Action.IMPORT_MODEL: "Import a checkpoint that you have",
    Action.USE_MODEL: "Switch to another model",
    Action.REMOVE_MODEL: "Remove it",
    Action.VERIFY_MODEL: "Check it",
    Action.SEE_MODELS: "See what is installed",
    Action.LOAD_LLM: "Load or pull it there",
    Action.INSTALL_EXTRA: "Install the extra",
    Action.UPGRADE: "Upgrade searchkit",
    Action.MAKE_PAIRS: "Make some",
    Action.WRITE_PAIRS: "Let a language model write some",
    Action.JUDGE_QUERIES: "Start one",
    Action.EVALUATE: "Make one",
    Action.ALLOW_INDEXING: "Start it so that it may",
}
_COMMANDS: Mapping[Action, Callable[[Remedy], str]] = {
    Action.ADVICE: lambda _: "",
    Action.CHANGE_OPTION: lambda remedy: (
        _FLAGS[remedy.option].format(extra=remedy.extra or "NAME") if remedy.option else ""
    ),
    Action.CHANGE_SETTING: lambda remedy: f"{remedy.setting} of config.toml",
    Action.INDEX_FOLDER: _index_command,
    Action.RESUME_INDEXING: lambda remedy: command("index", "-c", remedy.collection),
    Action.EMBED_ALL: lambda remedy: command("index", "-c", remedy.collection, "--no-lazy"),
    Action.WAIT: lambda _: command("index", "--wait"),
    Action.VERIFY: lambda remedy: command("verify", "-c", remedy.collection),
    Action.REBUILD: lambda remedy: command("rebuild", "-c", remedy.collection),
    Action.NAME_FOLDERS: lambda remedy: command("rebuild", "-c", remedy.collection, "FOLDER..."),
    Action.FORGET: lambda remedy: command("forget", str(remedy.path)),
    Action.MOVE: lambda remedy: command("move", "-c", remedy.collection, "--to", "URL"),
    Action.SEE_COLLECTIONS: lambda _: command("collections"),
    Action.SEE_STATUS: lambda _: command("status"),
    Action.SEE_PROBLEMS: lambda _: command("status", "--problems"),
    Action.SEARCH: lambda remedy: command("search", remedy.query),
    Action.SEARCH_BY_WORDS: lambda _: "--mode lexical",
    Action.ASK: lambda remedy: command("ask", remedy.query),
    Action.PULL_MODEL: lambda remedy: command("models", "pull", *([remedy.model] if remedy.model else [])),
    Action.INSTALL_SMALL_MODEL: lambda _: command("models", "pull", "all-minilm-l6-v2"),
    Action.IMPORT_MODEL: lambda remedy: command(
        "models", "import", "FOLDER", *(["--name", remedy.model] if remedy.model else [])
    ),
    Action.USE_MODEL: lambda remedy: command("models", "use", "NAME", "-c", remedy.collection),
    Action.REMOVE_MODEL: lambda remedy: command("models", "remove", remedy.model),
    Action.VERIFY_MODEL: lambda remedy: command("models", "verify", remedy.model),
    Action.SEE_MODELS: lambda _: command("models", "list"),
    Action.LOAD_LLM: lambda remedy: f"ollama pull {remedy.model or 'NAME'}",
    Action.INSTALL_EXTRA: lambda remedy: Installation.here().adding(remedy.extra),
    Action.UPGRADE: lambda _: Installation.here().upgrading(),
    Action.MAKE_PAIRS: lambda _: command("train", "pairs", "COLLECTION", "--out", "FILE"),
    Action.WRITE_PAIRS: lambda remedy: command("train", "pairs", remedy.collection, "--llm", "auto"),
    Action.JUDGE_QUERIES: lambda remedy: command("eval", "init", remedy.collection),
    Action.EVALUATE: lambda _: command("eval", "retrieval", "-c", "NAME", "--queries", "FILE", "--out", "FOLDER"),
    Action.ALLOW_INDEXING: lambda _: command("serve", "--allow-indexing"),
}
_FLAGS: Mapping[Option, str] = {
    Option.BASE: "--base FOLDER",
    Option.COLLECTION: "-c NAME",
    Option.EMBEDDED_LLM: "--llm embedded",
    Option.FORCE: "--force",
    Option.FRESH: "--fresh",
    Option.FULL_METHOD: "--method full",
    Option.LLM: "--llm URL",
    Option.LLM_FILE: "--llm FILE.gguf",
    Option.LLM_MODEL: "--llm-model NAME",
    Option.MODEL_NAME: "--name NAME",
    Option.NO_LLM: "--no-llm",
    Option.OUT_FILE: "--out FILE",
    Option.OUT_FOLDER: "--out FOLDER",
    Option.PAIRS: "--pairs FILE",
    Option.PORT: "--port 0",
    Option.PYTHON_FOR: "--python-for {extra}=PATH",
    Option.QUANTIZATION: "--quantization weights8",
}
