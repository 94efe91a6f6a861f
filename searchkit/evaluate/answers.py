"""Measures answers on questions whose answers are known: is the right source cited, is the answer in it, are refusals right.

`{"question": "when does the lease end", "answers": ["31 March 2026", ["31", "March"]], "half": ["March"], "source":
"flat/lease.pdf", "page": 3}`: one of the answers must be in what is written, a list of them in all its parts; so must one of
`half` for half of it. Without `answers` there is none, and refusing is right. `sources` names several files that hold it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from statistics import median
from typing import Any

from searchkit.answer.grounding.answer_stream import AnswerReport
from searchkit.answer.grounding.support import is_abstention
from searchkit.errors import EvaluationDataError, LlmError
from searchkit.evaluate.beir import json_objects
from searchkit.text import folded
from searchkit.types import Hit

Answer = Callable[[str, Sequence[str]], tuple[AnswerReport, Sequence[Hit]]]
_FORM = 'A line is {"question": "…", "answers": ["…"], "source": "path/of/the/file.pdf", "page": 3}; without answers there is none.'


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """A question and what is right. `answers`, `half`: alternatives, each of strings that must all be in the answer.

    `sources`: ends of the paths of files that hold it; `page`: in the first, if one page alone does. `collections`: to answer
    from, all if there are none.
    """

    question: str
    answers: tuple[tuple[str, ...], ...]
    half: tuple[tuple[str, ...], ...] = ()
    sources: tuple[str, ...] = ()
    page: int | None = None
    collections: tuple[str, ...] = ()
    language: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The outcome of a question. `correctness`: 1 if an answer is in what was written, .5 if half of one is. `citation`: the
    reciprocal of the place of the first right source among those cited, 0 if none is. `seconds`, `processor_seconds`: what it took.
    """

    known: KnownAnswer
    answer: str
    refused: bool
    correctness: float
    citation: float
    seconds: float
    processor_seconds: float
    error: str = ""

    @property
    def question(self) -> str:
        """What was asked."""
        return self.known.question

    @property
    def is_right(self) -> bool:
        """True for the answer, and for a refusal where there is none."""
        return self.correctness == 1 if self.known.answers else self.refused


@dataclass(frozen=True, slots=True)
class AnswerFigures:
    """The figures of a set. `right`, `right_or_half`, `cited` (mean average precision of the citations; a question has one right
    source): of the questions with an answer. `refused_precision`, `refused_recall`: None if nothing was, or was to be, refused.
    """

    questions: int
    answerable: int
    right: float
    right_or_half: float
    cited: float
    refused_precision: float | None
    refused_recall: float | None
    median_seconds: float
    median_processor_seconds: float
    failed: int


def read_known_answers(file: Path) -> list[KnownAnswer]:
    """Read a file of questions. Raises EvaluationDataError, with the line, for what is not in the form."""
    found = [_known(fields, place) for fields, place in json_objects(file)]
    if not found:
        raise EvaluationDataError(f"{file} is empty.", remedy=_FORM)
    return found


def judge_answers(known: Sequence[KnownAnswer], answer: Answer) -> Iterator[Judgement]:
    """Have each question answered, and judge what is written. A model that fails costs the answer, not the run."""
    for each in known:
        started, used = time.perf_counter(), time.process_time()
        text, error, refused = "", "", False
        cited: tuple[Hit, ...] = ()
        try:
            report, sources = answer(each.question, each.collections)
            text = report.answer
            cited = tuple(sources[number - 1] for number in _in_order(report))
            refused = report.ending == "not_found" or _abstains(report)
        except LlmError as failed:
            error = str(failed)
        plain = _plain(text)
        correctness = 0.0
        if not refused:
            correctness = 1.0 if _holds(each.answers, plain) else 0.5 if _holds(each.half, plain) else 0.0
        yield Judgement(
            each,
            text,
            refused,
            correctness,
            _citation(each, cited),
            time.perf_counter() - started,
            time.process_time() - used,
            error,
        )


def figures_of(judged: Sequence[Judgement]) -> AnswerFigures:
    """The figures of judged answers, of which there is at least one."""
    answerable = [each for each in judged if each.known.answers]
    count = max(len(answerable), 1)
    refused = [each for each in judged if each.refused]
    to_refuse = [each for each in judged if not each.known.answers]
    rightly = sum(not each.known.answers for each in refused)
    return AnswerFigures(
        questions=len(judged),
        answerable=len(answerable),
        right=sum(each.correctness == 1 for each in answerable) / count,
        right_or_half=sum(each.correctness > 0 for each in answerable) / count,
        cited=sum(each.citation for each in answerable) / count,
        refused_precision=rightly / len(refused) if refused else None,
        refused_recall=rightly / len(to_refuse) if to_refuse else None,
        median_seconds=median(each.seconds for each in judged),
        median_processor_seconds=median(each.processor_seconds for each in judged),
        failed=sum(bool(each.error) for each in judged),
    )


def _known(fields: Mapping[str, Any], place: str) -> KnownAnswer:
    question = fields.get("question")
    sources = fields.get("sources") or [fields.get("source"), *fields.get("other_sources", ())]
    page, folder = fields.get("page"), fields.get("collection") or fields.get("folder")
    if not isinstance(question, str) or not question.strip():
        raise EvaluationDataError(f"{place}: there is no question.", remedy=_FORM)
    if not isinstance(page, int | None):
        raise EvaluationDataError(f"{place}: page is not a number.", remedy=_FORM)
    answers = _alternatives(fields.get("answers", ()), place)
    named = tuple(str(source) for source in sources if source)
    if answers and not named:
        raise EvaluationDataError(f"{place}: no source is named that holds the answer.", remedy=_FORM)
    return KnownAnswer(
        question,
        answers,
        _alternatives(fields.get("half", ()), place),
        named,
        page,
        (str(folder),) if folder else (),
        str(fields.get("lang", "")),
    )


def _alternatives(given: object, place: str) -> tuple[tuple[str, ...], ...]:
    if not isinstance(given, list | tuple):
        raise EvaluationDataError(f"{place}: answers is not a list.", remedy=_FORM)
    found = [(each,) if isinstance(each, str) else tuple(map(str, each)) for each in given]
    if not all(part.strip() for each in found for part in each) or not all(found):
        raise EvaluationDataError(f"{place}: an answer is empty.", remedy=_FORM)
    return tuple(found)


def _in_order(report: AnswerReport) -> list[int]:
    """The numbers of the cited sources, in the order in which the answer cites them."""
    return list(dict.fromkeys(number for sentence in report.sentences for number in sentence.citations))


def _abstains(report: AnswerReport) -> bool:
    """True if an answer says that the sources do not say it, and nothing else."""
    return bool(report.sentences) and all(is_abstention(sentence.text) for sentence in report.sentences)


def _plain(text: str) -> str:
    return " ".join(folded(text).split())


def _holds(alternatives: Sequence[Sequence[str]], plain: str) -> bool:
    return any(all(_plain(part) in plain for part in each) for each in alternatives)


def _citation(known: KnownAnswer, cited: Sequence[Hit]) -> float:
    for place, hit in enumerate(cited, 1):
        if any(_is_of(hit, source, known.page if i == 0 else None) for i, source in enumerate(known.sources)):
            return 1 / place
    return 0.0


def _is_of(hit: Hit, source: str, page: int | None) -> bool:
    wanted = PurePath(source).parts
    paths = (hit.path, *hit.copies_at)
    is_file = any(path.parts[-len(wanted) :] == wanted or path.stem == source for path in paths)
    return is_file and (page is None or hit.page is None or hit.page == page)
