"""One word, however it is spelt: by Unicode's rules, and for numbers, dates, telephone numbers and references."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from searchkit.catalog.fulltext import lexical_form
from searchkit.catalog.values import canonical, values
from searchkit.text import _simplified, folded, word_texts, words


@pytest.mark.parametrize(
    "spellings",
    [
        ("Crème Brûlée", "CREME BRULEE", "Cre\u0300me Bru\u0302le\u0301e", "Ｃｒｅｍｅ Ｂｒｕｌｅｅ"),
        ("Straße", "STRASSE", "Stra\u00adße"),
        ("Łódź ørn Æther ﬁne", "Lodz orn aether fine"),
        ("İstanbul ıssız", "istanbul issiz"),
        ("ёлка", "Елка", "ЁЛКА"),
        ("Αθήνα ΣΟΦΟΣ", "αθηνα σοφος", "Ἀθήνα σοφὸς"),
        ("مَدْرَسَةٌ", "مدرسة", "مدرسه", "مــدرســة"),
        ("أحمد إلى آخر", "احمد الي اخر"),
        ("کتابی", "كتابي"),
        ("שָׁלוֹם", "שלום", "\ufb2aלום"),
        ("צה״ל", 'צה"ל', "צה”ל", "צהל"),
        ("ג׳ירפה", "ג'ירפה", "ג’ירפה", "גירפה"),
        ("हिन्दी", "हिंदी"),
        ("क़लम ज़रूरत", "कलम जरूरत", "क\u093cलम ज\u093cरूरत"),
        ("हँसना", "हंसना"),
        ("ভাষা\u09df", "ভাষা\u09af\u09bc"),
        ("கொடு", "க\u0bc6\u0bbeடு"),
        ("น้ำ", "น\u0e4d\u0e49า"),
        ("แม่", "เเม่"),
        ("サーバー", "ｻｰﾊﾞｰ", "さーばー"),
        ("ガラス", "カ\u3099ラス"),
        ("時々", "時時"),
        ("圖書館", "图书馆"),
        ("週末遊覽臺灣", "周末游览台湾"),
        ("한글", "\u1112\u1161\u11ab\u1100\u1173\u11af"),
        ("٢٠٢٥", "２０２５", "२०२५", "๒๐๒๕", "2025"),
        ("CO₂ m²", "co2 M2"),
    ],
)
def test_spellings_of_a_word_are_one(spellings: tuple[str, ...]) -> None:
    assert len({folded(spelling) for spelling in spellings}) == 1
    assert len({tuple(word.text for word in words(spelling)) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("й", "и"),
        ("ї", "і"),
        ("ў", "у"),
        ("ড়", "ড"),
        ("की", "कि"),
        ("は", "ぱ"),
        ("ที", "ทู"),
        ("9,90", "19,90"),
        ("ł", "k"),
    ],
)
def test_letters_that_differ_stay_different(one: str, other: str) -> None:
    assert folded(one) != folded(other)


@pytest.mark.parametrize("word", ["हिन्दी", "தமிழ்", "বাংলা", "ქართული", "ไทย", "ភាសាខ្មែរ", "ትግርኛ", "తెలుగు", "ਪੰਜਾਬੀ"])
def test_marks_that_are_letters_do_not_break_a_word(word: str) -> None:
    spans = [(found.start, found.end) for found in words(word)]
    assert spans[0][0] == 0 and spans[-1][1] == len(word)
    assert lexical_form(word).split() == [found.text for found in words(word)]


def test_arabic_words_lose_what_is_written_in_one_with_them() -> None:
    assert len({lexical_form(word) for word in ("الكتاب", "كتاب", "والكتاب", "بالكتاب", "للكتاب")}) == 1
    assert len({lexical_form(word) for word in ("مهندس", "المهندسون", "مهندسين", "مهندسات")}) == 1


def test_hebrew_words_lose_what_is_written_in_one_with_them() -> None:
    assert len({lexical_form(word) for word in ("ספר", "הספר", "בספר", "והספר", "שבספר", "וכשהספר", "מהסֵפֶר")}) == 1
    assert len({lexical_form(word) for word in ("שלום", "השלום", "ולשלום")}) == 1
    assert lexical_form("העץ") == lexical_form("עץ")
    assert lexical_form("כלב") != lexical_form("לב")


def test_each_simplified_character_stands_for_itself() -> None:
    simplified = _simplified()
    assert len(simplified) > 2500
    assert not simplified.keys() & set(simplified.values())


@example("ﷺ ½ ㍿ ٱلسَّلَام")
@example("ולשלום 發展")
@given(st.text(max_size=60))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert folded(folded(text)) == folded(text)
    assert [
        word.text for word in words(" ".join(word.text for word in words(text)) if not _has_pairs(text) else "")
    ] == ([] if _has_pairs(text) else [word.text for word in words(text)])


@example("naïve \u0301accents, b\u0308ar — ½ \x1b[1mbold\x1b[0m देवनागरी 日本語 ﷺ")
@given(st.text(max_size=60))
def test_words_without_their_places_are_the_same_words(text: str) -> None:
    assert word_texts(text) == [word.text for word in words(text)]


def _has_pairs(text: str) -> bool:
    return any(unicodedata.category(character) in ("Lo", "Lm") for character in unicodedata.normalize("NFKC", text))


@given(st.text(max_size=60))
def test_places_of_words_and_values_are_in_the_text(text: str) -> None:
    for word in words(text):
        assert 0 <= word.start < word.end <= len(text)
    for value in values(text):
        assert 0 <= value.start < value.end <= len(text)


SAME = [
    ("13860", "13,860", "13.860,00", "13 860", "13'860", "13\u202f860.00", "١٣٬٨٦٠", "１３，８６０"),
    ("613,45", "613.45", "613,450"),
    ("1,234,567.5", "1.234.567,50", "1 234 567,5", "1’234’567.5", "12,34,567.5"),
    ("2.8.2025", "02.08.2025", "2025-08-02", "2 August 2025", "2. August 2025", "August 2nd, 2025", "2 août 2025", "2.8.25"),
    ("2 de agosto de 2025", "2 agosto 2025", "2 sierpnia 2025", "2 августа 2025", "2025年8月2日", "2025/8/2", "20250802"),
    ("2. August", "2 August", "August 2nd", "2 août", "2 de agosto", "8月2日", "2.8.", "02. 08."),
    ("August 2025", "2025-08", "8/2025", "août 2025", "agosto de 2025"),
    ("+49 30 1234567", "030 1234567", "(030) 123 45 67", "030/1234567", "0049-30-1234567", "+49 (0)30 1234567", "0301234567"),
    ("(555) 123-4567", "555-123-4567", "+1 555 123 4567", "555.123.4567", "5551234567"),
    ("RE-2025-132", "RE 2025 132", "re/2025/132", "RE2025132", "RE_2025.132"),
    ("DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "de89-3704-0044-0532-0130-00"),
    ("978-3-16-148410-0", "9783161484100", "978 3 16 148410 0"),
]  # fmt: skip


def names(text: str) -> set[str]:
    return {*text.lower().split(), *(name for value in values(text, is_typed=True) for name in value.names)}


@pytest.mark.parametrize("spellings", SAME)
def test_values_have_one_name_however_they_are_written(spellings: tuple[str, ...]) -> None:
    common = set.intersection(*map(names, spellings))
    assert common, {spelling: names(spelling) for spelling in spellings}


def test_values_that_differ_have_no_name_in_common() -> None:
    firsts = [values(spellings[0], is_typed=True) or spellings[0] for spellings in SAME]
    assert len(set(map(str, firsts))) == len(SAME)
    assert not names("9,90") & names("19,90")
    assert not names("2.8.2025") & names("8.2.2025")


@pytest.mark.parametrize(
    "text", ["pages 10-15", "at 10:30:00", "192.168.10.11", "version 1.2.3", "3-4 days", "no digits", "31.2.2025"]
)
def test_what_only_looks_like_a_value_is_none(text: str) -> None:
    assert values(text) == []


def test_what_has_two_meanings_has_two_names() -> None:
    assert values("1.234")[0].names == ("1234", "1ˑ234")
    assert values("3/4/2025")[0].names == ("20250403", "20250304")
    assert values("0.125")[0].names == ("0ˑ125",)


def test_a_day_is_in_its_month() -> None:
    assert set(values("2.8.2025")[0].wider) >= set(values("August 2025")[0].names)


def test_values_are_where_they_are_typed_whatever_letters_are_before_them() -> None:
    query = "Straße ŉ ﬁnal re 2025 132"
    assert [query[each.start : each.end] for each in values(query, is_typed=True)] == ["re 2025 132"]


def test_a_word_before_a_day_takes_nothing_of_it() -> None:
    assert {*names("due 2. August at 5 on")} & {*names("August 2")}


@pytest.mark.parametrize("written", ["2.8.2025", "2025-08-02", "August 2nd, 2025", "2 août 2024", "2025年8月2日"])
def test_a_day_is_found_without_its_year(written: str) -> None:
    assert {name for each in values("2. August") for name in each.names} <= set(values(written)[0].wider)


@pytest.mark.parametrize(
    "text",
    [
        "set 5 of them",
        "5 out of 9",
        "31 February",
        "May 2:30",
        "August 2%",
        "12 monkeys",
        "1.2.3.",
        "freon-12 may",
        "in Q3.2.",
    ],
)
def test_what_only_looks_like_a_day_without_a_year_is_none(text: str) -> None:
    assert not any(each.without_year for each in values(text))


def test_texts_are_compared_by_the_names_of_their_values() -> None:
    assert canonical("due 2. August 2025, EUR 13.860,00") == canonical("due 2025-08-02, EUR 13,860")
