"""Every error that searchkit raises on purpose, and what can be done about it.

    SearchkitError
    ├── UsageError                    a request makes no sense as given
    ├── ConfigError                   a setting is unknown or impossible
    ├── CollectionNotFoundError       no collection has that name
    │   └── NothingIndexedError       there is no collection at all
    ├── CollectionBusyError           another process writes to the collection
    │   └── AlreadyIndexingError      the server is indexing already
    ├── CatalogError                  a catalog cannot be read
    ├── ClusterError                  the machines that are to share the work cannot be used
    ├── UnreadableFileError           one file cannot be indexed
    ├── ModelError                    a model folder is damaged or cannot do that
    │   ├── ModelNotFoundError        no model has that name
    │   └── UnsupportedCheckpointError
    ├── HubError                      a checkpoint cannot be fetched
    │   └── HubUnreachableError       the hub cannot be reached, or the connection broke
    ├── ExtraMissingError             an optional package is not installed
    ├── LlmError                      the language model cannot answer
    │   ├── LlmNotFoundError          there is none
    │   ├── WindowTooSmallError       its context window is too small
    │   └── AnswerCutError            it broke off in the middle
    ├── TrainingError                 nothing can be trained
    ├── EvaluationDataError           judged queries, runs or documents are missing or invalid
    ├── BenchmarkError                an engine to measure cannot be run
    ├── ReadOnlyError                 the server may not write
    ├── ReferenceGoneError            a passage or document that was found has changed or is gone
    ├── PoolBusyError                 too much work is waiting
    └── PoolClosedError               no new work is accepted

The message of an error says what happened, and to which thing. What to do about it is a `Remedy`: a value, which each
front end words in its own terms (a command, a key, a sentence). Messages therefore name no command, flag or key.

The errors of `searchkit_indexes`, which knows nothing of searchkit, are outside the tree; `searchkit.index_store` deals
with them.
"""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, replace
from enum import StrEnum
from pathlib import Path


class Action(StrEnum):
    """The actions that may resolve an error. The comments list the arguments of a `Remedy` for each."""

    ADVICE = "advice"  # sentence: nothing to run
    CHANGE_OPTION = "change_option"  # sentence, option: ask again, with another value for it; extra: whose
    CHANGE_SETTING = "change_setting"  # sentence, setting: in the configuration file

    INDEX_FOLDER = "index_folder"  # path: any folder if there is none; collection: for it
    RESUME_INDEXING = "resume_indexing"  # collection
    EMBED_ALL = "embed_all"  # collection: a lazy one
    WAIT = "wait"  # until another process has written
    VERIFY = "verify"  # collection
    REBUILD = "rebuild"  # collection
    NAME_FOLDERS = "name_folders"  # collection: rebuild it, naming its folders
    FORGET = "forget"  # path
    MOVE = "move"  # collection: into a database
    SEE_COLLECTIONS = "see_collections"
    SEE_STATUS = "see_status"
    SEE_PROBLEMS = "see_problems"  # why files were left out

    SEARCH = "search"  # query
    SEARCH_BY_WORDS = "search_by_words"  # which needs no model
    ASK = "ask"  # query: a question

    PULL_MODEL = "pull_model"  # model: the recommended one if there is none
    INSTALL_SMALL_MODEL = "install_small_model"
    IMPORT_MODEL = "import_model"  # model: which to import again; any checkpoint if there is none
    USE_MODEL = "use_model"  # collection: to switch
    REMOVE_MODEL = "remove_model"  # model
    VERIFY_MODEL = "verify_model"  # model
    SEE_MODELS = "see_models"
    LOAD_LLM = "load_llm"  # model: into the server of the language model; any if there is none

    INSTALL_EXTRA = "install_extra"  # extra
    UPGRADE = "upgrade"  # searchkit itself

    MAKE_PAIRS = "make_pairs"  # to train with, of a collection
    WRITE_PAIRS = "write_pairs"  # collection: by a language model
    JUDGE_QUERIES = "judge_queries"  # collection: begin a file of judged queries
    EVALUATE = "evaluate"  # make a report of an evaluation
    ALLOW_INDEXING = "allow_indexing"  # to the server


class Option(StrEnum):
    """The arguments that a caller can change: a parameter in the library, an option of the command."""

    BASE = "base"
    COLLECTION = "collection"
    EMBEDDED_LLM = "embedded_llm"
    FORCE = "force"
    FRESH = "fresh"
    FULL_METHOD = "full_method"
    LLM = "llm"
    LLM_FILE = "llm_file"
    LLM_MODEL = "llm_model"
    MODEL_NAME = "model_name"
    NO_LLM = "no_llm"
    OUT_FILE = "out_file"
    OUT_FOLDER = "out_folder"
    PAIRS = "pairs"
    PORT = "port"
    PYTHON_FOR = "python_for"
    QUANTIZATION = "quantization"


@dataclass(frozen=True, slots=True)
class Remedy:
    """A way to resolve an error; see Action for the arguments that each takes.

    `sentence`: the advice in plain words, in place of the action's own. `otherwise`: alternatives, see `|`.
    """

    action: Action = Action.ADVICE
    _: KW_ONLY
    sentence: str = ""
    option: Option | None = None
    setting: str = ""
    collection: str = ""
    path: Path | None = None
    query: str = ""
    model: str = ""
    extra: str = ""
    otherwise: "Remedy | None" = None

    def __or__(self, other: "Remedy") -> "Remedy":
        """This remedy, or else the other."""
        return replace(self, otherwise=self.otherwise | other if self.otherwise else other)

    def choices(self) -> Iterator["Remedy"]:
        """This remedy and its alternatives, the best first."""
        choice: Remedy | None = self
        while choice is not None:
            yield choice
            choice = choice.otherwise


class SearchkitError(Exception):
    """The root. `str(error)` is the message: what happened, to which thing. `remedy`: what to do, None if nothing helps.

    A string as the remedy is advice in plain words.
    """

    def __init__(self, message: str, *, remedy: Remedy | str | None = None) -> None:
        super().__init__(message)
        self.remedy = (Remedy(sentence=remedy) if remedy else None) if isinstance(remedy, str) else remedy


class UsageError(SearchkitError):
    """The request makes no sense as given: an empty query, a file instead of a folder."""


class ConfigError(SearchkitError):
    """A setting is unknown or has an impossible value."""


class CollectionNotFoundError(SearchkitError):
    """No collection has the name that was asked for, or there is none at all."""


class NothingIndexedError(CollectionNotFoundError):
    """There is no collection yet."""

    def __init__(self, message: str = "Nothing is indexed yet.", *, remedy: Remedy | str | None = None) -> None:
        super().__init__(message, remedy=remedy or Remedy(Action.INDEX_FOLDER))


class CollectionBusyError(SearchkitError):
    """Another process is writing to the collection."""


class AlreadyIndexingError(CollectionBusyError):
    """The server is indexing a collection; it indexes one at a time."""


class CatalogError(SearchkitError):
    """A catalog cannot be read: damaged, or written by a newer searchkit."""


class ClusterError(SearchkitError):
    """The cluster whose machines are to share the work does not answer, or has failed."""


class UnreadableFileError(SearchkitError):
    """One file cannot be indexed; the message is the reason that `status` shows. Never fatal to a run.

    The remedy is advice in plain words: it is stored in the catalog. `scanned_pages`: pages that OCR would read.
    """

    def __init__(self, message: str, *, remedy: str = "", scanned_pages: int = 0) -> None:
        super().__init__(message, remedy=remedy)
        self.scanned_pages = scanned_pages

    @property
    def advice(self) -> str:
        """The remedy's stored form, "" if there is none."""
        return self.remedy.sentence if self.remedy else ""


class ModelError(SearchkitError):
    """A model folder is damaged, or lacks the requested ability."""


class ModelNotFoundError(ModelError):
    """No installed model has the name that was asked for, or none is installed."""


class UnsupportedCheckpointError(ModelError):
    """A checkpoint is not one that searchkit can turn into a model folder; the message says why."""


class HubError(SearchkitError):
    """A checkpoint cannot be fetched from the model hub: refused, not found, unreachable, or invalid."""


class HubUnreachableError(HubError):
    """The hub cannot be reached or cannot serve now, or the connection broke; what has come may be resumed."""


class ExtraMissingError(SearchkitError):
    """An optional package that is needed here is not installed."""


class LlmError(SearchkitError):
    """The language model cannot answer: it refuses, is unreachable, or is not a language model."""


class LlmNotFoundError(LlmError):
    """No language model is set up, or it is not at its configured address."""


class WindowTooSmallError(LlmError):
    """The model's context window has no room for the question with a useful part of one source and an answer.

    `window_tokens`: the window that the server named when it refused, None if it did not.
    """

    def __init__(self, message: str, *, remedy: Remedy | str | None = None, window_tokens: int | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.window_tokens = window_tokens


class AnswerCutError(LlmError):
    """The server went away in the middle of an answer; what came before has been passed on."""


class TrainingError(SearchkitError):
    """There is not enough to train from, or training failed; the old model stays as it is."""


class EvaluationDataError(SearchkitError):
    """Judged queries, a run or documents to evaluate with are missing or in the wrong format."""


class BenchmarkError(SearchkitError):
    """An engine or a command to measure cannot be run, or crashed."""


class ReadOnlyError(SearchkitError):
    """The server was started without the permission to write."""


class ReferenceGoneError(SearchkitError):
    """The passage or document that an id named has changed or is no longer in the index."""


class PoolBusyError(SearchkitError):
    """The queue is so long that more work would wait in vain."""


class PoolClosedError(SearchkitError):
    """The pool of libraries is closed or closing: it accepts no new work."""
