"""The figures of answers follow from what is written, what is cited and what is refused."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from searchkit.answer.grounding.answer_stream import AnswerReport
from searchkit.answer.grounding.checked_text import CheckedSentence
from searchkit.errors import EvaluationDataError, LlmError
from searchkit.evaluate.answers import figures_of, judge_answers, read_known_answers
from searchkit.types import Hit
from tests.support.files import write
from tests.unit.answer.test_answer_text import hit

LINES = [
    {
        "question": "when does the lease end",
        "answers": [["31", "March  2026"]],
        "half": ["March"],
        "source": "flat/lease.md",
    },
    {
        "question": "what is the deposit",
        "answers": ["three months"],
        "source": "lease.md",
        "other_sources": ["copy.md"],
    },
    {"question": "which colour is the door", "answers": ["green"], "half": ["colour"], "source": "paint.txt"},
    {"question": "who won the world cup", "answers": []},
    {"question": "who keeps the key"},
]
ANSWERS: dict[str, tuple[str, list[int]]] = {
    "when does the lease end": ("It ends on 31 MARCH 2026.", [2]),
    "what is the deposit": ("Three months of rent.", [1]),
    "which colour is the door": ("A colour.", []),
}


def report(text: str, cited: Sequence[int], ending: str = "complete") -> AnswerReport:
    sentences = (CheckedSentence(text, tuple(cited), True),) if text else ()
    return AnswerReport(text, sentences, tuple(sorted(cited)), (), ending)  # type: ignore[arg-type]


def answer(question: str, collections: Sequence[str]) -> tuple[AnswerReport, Sequence[Hit]]:
    sources = [hit("…", "home/copy.md"), hit("…", "home/flat/lease.md")]
    if question == "who keeps the key":
        return report("The sources do not say who keeps the key.", []), sources
    if question in ANSWERS:
        return report(*ANSWERS[question]), sources
    return report("", [], "not_found"), ()


def test_right_half_cited_and_refused_are_told_apart(tmp_path: Path) -> None:
    file = write(tmp_path / "questions.jsonl", "\n".join(map(json.dumps, LINES)))
    judged = list(judge_answers(read_known_answers(file), answer))
    assert [each.correctness for each in judged] == [1.0, 1.0, 0.5, 0.0, 0.0]
    assert [each.citation for each in judged[:3]] == [1.0, 1.0, 0.0]
    assert [each.refused for each in judged] == [False, False, False, True, True]
    assert [each.is_right for each in judged] == [True, True, False, True, True]
    figures = figures_of(judged)
    assert (figures.questions, figures.answerable, figures.failed) == (5, 3, 0)
    assert (figures.right, figures.right_or_half, figures.cited) == pytest.approx((2 / 3, 1.0, 2 / 3))
    assert (figures.refused_precision, figures.refused_recall) == (1.0, 1.0)


def test_a_model_that_fails_costs_its_answer_alone(tmp_path: Path) -> None:
    def failing(question: str, collections: Sequence[str]) -> tuple[AnswerReport, Sequence[Hit]]:
        if "lease" in question:
            raise LlmError("It is busy.")
        return answer(question, collections)

    file = write(tmp_path / "questions.jsonl", "\n".join(map(json.dumps, LINES)))
    judged = list(judge_answers(read_known_answers(file), failing))
    assert judged[0].error == "It is busy." and judged[1].correctness == 1.0
    assert figures_of(judged).failed == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"answers": ["x"]}', "line 1: there is no question"),
        ('{"question": "x", "answers": ["y"]}', "no source is named"),
        ('{"question": "x", "answers": "y", "source": "a"}', "answers is not a list"),
        ('{"question": "x", "answers": [""], "source": "a"}', "an answer is empty"),
        ('{"question": "x", "answers": [], "page": "three"}', "page is not a number"),
        ("[]", "expected a JSON object"),
        ("", "is empty"),
    ],
)
def test_what_is_not_in_the_form_is_refused_with_its_line(tmp_path: Path, line: str, why: str) -> None:
    with pytest.raises(EvaluationDataError, match=why):
        read_known_answers(write(tmp_path / "questions.jsonl", line))
