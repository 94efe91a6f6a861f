"""Which hits are below another, by what they say and which words of the query they have."""

from pathlib import Path

import pytest

from searchkit.search.results.alike import AlikeFolder, fold_alike
from searchkit.types import Evidence, Hit

SAID = "Remember to look into the box in the hall."


def hit(name: str, *terms: str, said: str = SAID) -> Hit:
    evidence = Evidence(None, 1.0, terms)
    return Hit("notes", Path(name), "", None, 1, 1, 0.5, said, said, (), evidence, sentence=(0, len(said)))


@pytest.mark.parametrize(
    ("first", "later", "is_folded"),
    [
        (("box", "hall"), ("box",), True),
        (("box",), ("box", "hall"), False),
        (("in", "box"), ("box", "invoice"), False),  # begins as "in" and is another word
        (("pumpe", "box"), ("pump", "boxes"), False),
        (("pumpe", "boxes"), ("pump", "boxe"), True),  # other forms
    ],
)
def test_a_hit_with_more_of_the_query_keeps_its_place(
    first: tuple[str, ...], later: tuple[str, ...], is_folded: bool
) -> None:
    hits = fold_alike([hit("a", *first), hit("b", *later)], 10)
    assert [len(each.alike) for each in hits] == ([1] if is_folded else [0, 0])


@pytest.mark.parametrize(
    "written", [f"- {SAID}", f"* {SAID.upper()}", SAID.replace(" ", "\n", 3), f"[ ] {SAID.rstrip('.')}"]
)
def test_case_breaks_and_signs_around_do_not_matter(written: str) -> None:
    (first,) = fold_alike([hit("a"), hit("b", said=written)], 10)
    assert [other.path.name for other in first.alike] == ["b"]
    folder = AlikeFolder(1)
    folder.add(hit("a"))
    assert folder.may_be_alike(f"Before.\n\n{written}\n\nAfter.")
    assert not folder.may_be_alike("Something else altogether.")


def test_what_is_folded_twice_stays_flat() -> None:
    of_one, of_other = (fold_alike([hit(f"{each}1"), hit(f"{each}2")], 10) for each in "ab")
    (first,) = fold_alike([*of_one, *of_other], 10)
    assert [other.path.name for other in first.alike] == ["a2", "b1", "b2"]
    assert not any(other.alike for other in first.alike)
