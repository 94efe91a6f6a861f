"""A question that leans on the conversation is given its subject, with a language model and without."""

import pytest

from searchkit.answer.conversation import is_sane
from searchkit.answer.follow_ups import goes_on, with_subject
from searchkit.answer.models.language_model import Message

BEFORE = [
    Message("user", "when does the lease of the studio end"),
    Message("assistant", "On 31 March 2026. Shall I look for the deposit?"),
]


@pytest.mark.parametrize(
    "said",
    ["yes please", "Yes.", "go on", "continue", "tell me more", "and the other one?", "what else?", "ja bitte", "und weiter?",
     "mehr", "oui, s'il vous plaît", "et l'autre ?", "sí, por favor", "continua", "да, пожалуйста", "続けて", "好的", "もっと"],
)  # fmt: skip
def test_what_names_no_subject_goes_on_with_the_last_question(said: str) -> None:
    assert goes_on(said)
    assert with_subject(said, BEFORE) == BEFORE[0].content
    assert with_subject(said, [*BEFORE, Message("user", "go on"), Message("assistant", "…")]) == BEFORE[0].content


@pytest.mark.parametrize(
    "said", ["and the deposit?", "what about the deposit?", "und die Kaution?", "et la caution ?", "does it renew?"]
)
def test_what_leans_on_the_question_before_is_asked_with_it(said: str) -> None:
    assert not goes_on(said)
    assert with_subject(said, BEFORE) == f"{BEFORE[0].content} {said}"


@pytest.mark.parametrize(
    "said",
    [
        "who repairs the roof of the boat house",
        "and how much did the roofer of the boat house ask for the new gutter",
        "what is error E07",
        "E07",
        "第二のパスワードは何ですか",
    ],
)
def test_a_question_with_a_subject_stays_as_it_is(said: str) -> None:
    assert not goes_on(said)
    assert with_subject(said, BEFORE) == said


def test_without_a_conversation_there_is_nothing_to_lean_on() -> None:
    assert with_subject("go on", []) == "go on"


def test_the_rewriting_of_what_names_no_subject_is_taken() -> None:
    said = [turn.content for turn in BEFORE]
    assert is_sane("When does the lease of the studio end, and what about the deposit?", "yes please", said)
    assert is_sane("What is the deposit of the studio?", "and the other one?", said)
    assert not is_sane("The lease of the boat ends in 2031.", "yes please", said)
