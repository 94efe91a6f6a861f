import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit.catalog.fulltext import TOKENIZER, Stemmer, lexical_form, query_phrases, query_words

HOSTILE = [
    "",
    '"',
    "'; DROP TABLE words; --",
    'a "quoted" b',
    "nul\0in-side",
    "lone\udcff-surrogate",
    "😀 emoji👩‍👩‍👧‍👦glued",
    "NEAR(a b) AND OR NOT a* ^b -c:d",
    "((([[[{{{",
    "x" * 20_000,
    "字" * 20_000,
    "字字字 " * 5_000,
    "a字" * 10_000,
    "a-b " * 5_000,
    "w " * 20_000,
]


class Fulltext:
    """A table with the tokenizer of the catalog's."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:")
        self._connection.execute(f'CREATE VIRTUAL TABLE passages USING fts5(text, tokenize="{TOKENIZER}")')
        self._connection.execute("CREATE VIRTUAL TABLE tokens USING fts5vocab(passages, instance)")

    def tokens(self, text: str) -> list[str]:
        self._connection.execute("DELETE FROM passages")
        self._connection.execute("INSERT INTO passages VALUES (?)", (lexical_form(text),))
        return [term for (term,) in self._connection.execute("SELECT term FROM tokens ORDER BY offset")]

    def finds(self, text: str, expressions: list[str]) -> bool:
        self.tokens(text)
        match = " OR ".join('"' + expression.replace('"', '""') + '"' for expression in expressions)
        rows = self._connection.execute("SELECT 1 FROM passages WHERE passages MATCH ?", (match,))
        return rows.fetchone() is not None

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def stemmer() -> Iterator[Stemmer]:
    opened = Stemmer()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def fulltext() -> Iterator[Fulltext]:
    opened = Fulltext()
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "text",
    [
        "Running runners ran; the flies' wings were connected.",
        "Ärger über Größe, naïve façade",
        "re\u0301sume\u0301 written with accents of their own",
        "snake_case and camelCase, 3.14 and v2.0-rc1",
        "Клубни высаживают в начале мая",
        "如何保存新鲜的香菜:用塑料袋",
        "iPhone手机壳 and 日本の夏祭り in 2024年",
        "서울에서 부산까지",
        "great🤩news costs 500₽ or ½ ⓐ",
        "हिन्दी भाषा",
        "İstanbul and ıssız",
    ],
)
def test_the_words_of_a_text_are_those_of_the_full_text_table(text: str, stemmer: Stemmer, fulltext: Fulltext) -> None:
    assert sorted(span.stem for span in stemmer.spans(text)) == sorted(fulltext.tokens(text))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_has_the_words_of_the_full_text_table(text: str) -> None:
    opened, table = Stemmer(), Fulltext()
    assert sorted(span.stem for span in opened.spans(text)) == sorted(table.tokens(text))
    opened.close()
    table.close()


def test_words_of_one_stem_share_it(stemmer: Stemmer) -> None:
    stems = stemmer.stems(["connect", "Connected", "connections", "CONNECTING", "naïve", "naive"])
    assert set(stems.values()) == {"connect", "naiv"}


def test_stems_are_the_same_when_asked_again(stemmer: Stemmer) -> None:
    first = stemmer.stems(["houses", "housing"])
    stemmer.stems(["other", "words"])
    assert stemmer.stems(["housing", "houses"]) == first == {"houses": "hous", "housing": "hous"}


def test_what_is_no_word_has_no_stem(stemmer: Stemmer) -> None:
    assert stemmer.stems([]) == {}
    assert stemmer.stems(["---", "😀", ""]) == {}


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80))
def test_offsets_point_at_words(text: str) -> None:
    opened = Stemmer()
    spans = opened.spans(text)
    opened.close()
    assert [span.start for span in spans] == sorted(span.start for span in spans)
    for span in spans:
        assert 0 <= span.start < span.end <= len(text)
        assert text[span.start].isalnum()
        assert not any(character.isspace() for character in text[span.start : span.end])


def test_offsets_point_at_the_words_they_name(stemmer: Stemmer) -> None:
    text = "Bleed the radiators, 香菜保存 in iPhone手机壳!"
    assert [text[span.start : span.end] for span in stemmer.spans(text)] == [
        *["Bleed", "the", "radiators", "香菜", "菜保", "保存", "in", "iPhone", "手机", "机壳"]
    ]


def test_a_single_unspaced_character_stands_alone(stemmer: Stemmer) -> None:
    assert [(span.start, span.end) for span in stemmer.spans("茶 x茶y")] == [(0, 1), (2, 3), (3, 4), (4, 5)]


def test_query_words_are_in_order_as_often_as_they_are_asked_for() -> None:
    assert query_words("The roof, the ROOF of HV-2025") == ["the", "roof", "the", "roof", "of", "hv", "2025"]
    assert query_words("香菜保存") == ["香菜", "菜保", "保存"]
    assert query_words("re\u0301sume\u0301") == ["re\u0301sume\u0301"]
    assert query_words("  ?! \n") == []


@pytest.mark.parametrize(
    ("query", "phrases"),
    [
        ("invoice HV-2025-48213?", ["hv 2025 48213"]),
        ('see "src/app/main.py", please', ["src app main py"]),
        ("mail ada@example.org", ["ada example org"]),
        ("max_file_bytes", ["max file bytes"]),
        ("plain words only.", []),
        ("香菜保存", ["香菜 菜保 保存"]),
        ("香菜", []),
        ("发票HV-2025-48213在哪里", ["hv 2025 48213", "在哪 哪里"]),
        ("a-b a-b", ["a b"]),
        ("", []),
    ],
)
def test_phrases_are_what_consists_of_several_words(query: str, phrases: list[str]) -> None:
    assert query_phrases(query) == phrases


@pytest.mark.parametrize(
    ("query", "text", "other"),
    [
        ("HV-2025-48213", "No. HV-2025-48213 of May", "HV 48213 2025"),
        ("src/app/main.py", "in src/app/main.py it says", "main.py in app of src"),
        ("香菜保存", "新鲜的香菜保存方法", "保存香菜"),
        ("ภาษาไทยที่ดี", "เรียนภาษาไทยที่ดีกว่า", "ภาษาอังกฤษที่ดี"),
    ],
)
def test_a_phrase_is_found_as_a_whole_only(query: str, text: str, other: str, fulltext: Fulltext) -> None:
    assert fulltext.finds(text, query_phrases(query))
    assert not fulltext.finds(other, query_phrases(query))


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
def test_no_query_breaks_the_match_expression(query: str, stemmer: Stemmer, fulltext: Fulltext) -> None:
    words, phrases = query_words(query), query_phrases(query)
    assert len(words) <= 256
    assert len(phrases) <= 128
    stemmer.stems(words)
    if words or phrases:
        fulltext.finds("any text", [*words, *phrases])


def test_a_glued_emoji_does_not_hide_its_word(fulltext: Fulltext) -> None:
    assert fulltext.finds("great🤩", ["great"])
    assert fulltext.finds("500₽", ["500"])


def test_names_in_composed_and_decomposed_form_are_the_same(fulltext: Fulltext) -> None:
    assert fulltext.tokens("\u1112\u1161\u11ab\u1100\u1173\u11af") == fulltext.tokens("한글")


def test_stems_that_another_search_has_found_are_the_same_and_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("searchkit.catalog.fulltext._MOST_KNOWN", 30)
    known: dict[str, str] = {}
    monkeypatch.setattr("searchkit.catalog.fulltext._KNOWN", known)
    texts = [*HOSTILE, "Running runners ran; the leases of 2024-05-01, § and ™", *(f"word{i} runs" for i in range(40))]
    first = [Stemmer().spans(text) for text in texts]
    assert [Stemmer().spans(text) for text in texts] == first
    for text, spans in zip(texts, first, strict=True):
        known.clear()
        assert Stemmer().spans(text) == spans
    assert all(len(word) <= 40 for word in known)
    for number in range(100):
        Stemmer().stems([f"word{number}"])
    assert len(known) <= 30
