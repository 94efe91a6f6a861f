"""Generates questions about passages with a language model; kept are those whose passage a search finds again (round trip)."""

from searchkit.answer.models.choose import ModelChoice, choose_model
from searchkit.answer.models.language_model import LanguageModel, Message
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.passages import sample_passages
from searchkit.config import load_settings
from searchkit.errors import UsageError
from searchkit.library import Library
from searchkit.reports import Progress, ProgressListener
from searchkit.search.request import SearchRequest
from searchkit.train.options import PairOptions
from searchkit.train.pairs.pair import Kind, Pair, is_query, normalize
from searchkit.types import Passage

_REPLY_TOKENS = 60
_FOUND_AMONG = 3  # first hits of a search by meaning and words
_LEAST_TEXT = 200  # characters; a shorter passage gives nothing to ask about
_COPIED_WORDS = 6  # in a row, that make a question a copy of its passage
_INSTRUCTION = (
    "You write search queries. Given a passage from somebody's files, write one question that a person who has not seen the"
    " passage could ask and that the passage answers. Use your own words, not the passage's. Same language as the passage."
    " Reply with the question alone."
)


def generate_pairs(
    library: Library,
    collection: str,
    catalog: CatalogReader,
    options: PairOptions,
    on_progress: ProgressListener,
) -> list[Pair]:
    """Have a question written about each of `options.written` passages from all over the collection.

    Kept are questions that are in their own words and find their passage among the first three hits. Raises LlmError.
    """
    choice = ModelChoice("" if options.llm == "auto" else options.llm)
    model = choose_model(load_settings(library.home).llm, choice)
    pairs: list[Pair] = []
    passages = sample_passages(catalog, options.written, least_characters=_LEAST_TEXT)
    try:
        for done, one in enumerate(passages):
            note = f"{len(pairs):,} kept"
            on_progress(Progress(f"Questions by {model.name}", done, len(passages), "passages", note=note))
            question = _question(model, one.title, one.text)
            if (
                is_query(question)
                and not _copies(question, one.text)
                and _finds(library, collection, question, one.title, one.text)
            ):
                passage = Passage(one.title, one.text)
                file, stored = one.path.as_posix(), one.content_hash.hex()
                pairs.append(Pair(question, passage, Kind.WRITTEN, file, stored=stored))
    finally:
        model.close()
    return pairs


def _question(model: LanguageModel, title: str, text: str) -> str:
    """The model's question: the first line of its reply that is not a preamble."""
    passage = f"{title}\n\n{text}" if title else text
    messages = [Message("system", _INSTRUCTION), Message("user", f"Passage:\n{passage}\n\nQuestion:")]
    reply = "".join(model.reply(messages, _REPLY_TOKENS))
    lines = [line.strip(' "*-') for line in reply.splitlines() if line.strip()]
    return next((line for line in lines if not line.endswith(":")), "")


def _copies(question: str, text: str) -> bool:
    """True if the question copies a run of words from the passage."""
    words, within = normalize(question).split(), f" {normalize(text)} "
    runs = (words[i : i + _COPIED_WORDS] for i in range(len(words) - _COPIED_WORDS + 1))
    return any(f" {' '.join(run)} " in within for run in runs)


def _finds(library: Library, collection: str, question: str, title: str, text: str) -> bool:
    try:
        hits = library.find(SearchRequest(question, _FOUND_AMONG, collections=(collection,), ranking_only=True)).hits
    except UsageError:
        return False
    return any((hit.heading, hit.text) == (title, text) for hit in hits)
