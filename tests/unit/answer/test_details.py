"""Wrong details of a sentence, judged by a measure of nearness that counts common words."""

from collections.abc import Sequence

import numpy as np
import pytest

from searchkit.answer.grounding.details import is_negated, is_swapped
from searchkit_indexes import Vectors


class Words:
    """A source whose pieces are near by the share of words, or of characters in scripts without blanks, in common."""

    def __init__(self, *pieces: str) -> None:
        self.pieces: Sequence[str] = pieces

    def nearness(self, sentences: Sequence[str]) -> Vectors:
        """The share of both in both."""
        return np.array([[_share(sentence, piece) for piece in self.pieces] for sentence in sentences], np.float32)


def _share(one: str, other: str) -> float:
    a, b = (set(text.split() if " " in text else text) for text in (one.rstrip("."), other.rstrip(".")))
    return len(a & b) / len(a | b)


NEGATED = [
    ("The lease ends in May", "The lease does not end in May", "The lease end in May"),
    ("Die Wohnung wird im Mai frei", "Die Wohnung wird im Mai nicht frei", ""),
    ("Es gibt eine Kaution", "Es gibt keine Kaution", ""),
    ("Le loyer augmente en mai", "Le loyer n'augmente pas en mai", ""),
    ("El alquiler sube en mayo", "El alquiler no sube en mayo", ""),
    ("Аренда растёт в мае", "Аренда не растёт в мае", ""),
    ("家賃は五月に上がります", "家賃は五月に上がりません", ""),
]


@pytest.mark.parametrize(("said", "denied", "source"), NEGATED)
def test_a_sentence_that_denies_its_source_is_noticed(said: str, denied: str, source: str) -> None:
    evidence = Words(source or said, "Something else stands there too")
    assert is_negated(denied, evidence)
    assert not is_negated(said, evidence)


@pytest.mark.parametrize(("said", "denied", "source"), NEGATED)
def test_a_sentence_that_denies_as_its_source_does_is_not(said: str, denied: str, source: str) -> None:
    assert not is_negated(denied, Words(denied, source, said.upper()))


def test_a_number_or_name_from_elsewhere_in_the_source_is_noticed() -> None:
    evidence = Words(
        "The boiler has 2 bar of pressure",
        "Something else is said in between",
        "The garden tank of Anna holds 900 litres",
        "It is full",
        "The third of the keys is with Bert",
    )
    assert is_swapped("The garden tank of Anna holds 2 litres", evidence)
    assert is_swapped("The garden tank of Bert holds 900 litres", evidence)
    assert not is_swapped("The garden tank of Anna holds 900 litres", evidence)
    assert not is_swapped("Only words without any detail stand here", evidence)
    assert not is_swapped("The garden tank of Anna holds 77 litres", evidence), "that is unsupported, not swapped"
    assert not is_swapped(
        "The garden tank holds 2 litres", Words("It holds 2", "The garden tank of Anna holds 900 litres")
    )
