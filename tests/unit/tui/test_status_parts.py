"""What the status line leaves out where there is little room."""

from searchkit_tui.search.status_line import Part, fitting

PARTS = [
    Part("hybrid", worth=100),
    Part("12 of 1,922 passages", "12 of 1,922", worth=10),
    Part("59 ms", worth=3),
    Part("Index my very long collection: Embedding 12 of 40", "Embedding 12 of 40", worth=7),
    Part("59 % by meaning, about 12 min left, the rest by words", "59 % by meaning, about 12 min left", worth=8),
    Part("a-model-with-a-name", worth=1),
]


def line(cells: int) -> str:
    return " · ".join(part.text for part in fitting(PARTS, cells))


def test_a_wide_line_has_everything() -> None:
    assert line(200).count(" · ") == len(PARTS) - 1


def test_figures_are_the_last_to_go_and_are_never_cut() -> None:
    assert line(90) == "hybrid · 12 of 1,922 passages · Embedding 12 of 40 · 59 % by meaning, about 12 min left"
    assert line(76) == "hybrid · 12 of 1,922 · 59 % by meaning, about 12 min left"
    assert line(20) == "hybrid · 12 of 1,922"
    for cells in range(10, 200):
        assert len(line(cells)) <= cells
        assert "12 of 1,922" in line(cells) or cells < 20
