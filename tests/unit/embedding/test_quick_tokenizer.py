"""The table-driven tokenizer against SentencePiece: the same ids for every text, or the model is refused."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from searchkit.embedding.quick_tables import write_quick_tokenizer
from searchkit.embedding.quick_tokenizer import SYMBOLS_FILE, TABLE_FILE, QuickTokenizer
from searchkit.embedding.sample import SAMPLE_PAIRS
from searchkit.embedding.tokenizer import FastTokenizer, SentencePieceTokenizer, TokenizerKind
from tests.support.files import EMBEDDINGGEMMA

LINES = [line for pair in SAMPLE_PAIRS for text in pair for line in text.split("\n")]
SYMBOLS = ["\n", "\n\n", "\n\n\n", "\t", "<b>", "<bold>", "▁▁", "▁▁▁", "abc", "bcde", "e▁", "7"]  # some overlap
ALL = 1_000_000  # more tokens than any text here has

SCRIPTS = (
    "Größe, œuvre, żółć, İstanbul, Þingvellir, Tiếng Việt",
    "Ἐν ἀρχῇ ἦν ὁ λόγος, και σήμερα",
    "Съешь ещё этих мягких булок, їжак, Ћирилица, Ѳеодоръ",
    "اَلْعَرَبِيَّةُ لغةٌ، فارسی، اردو ۱۲۳",
    "שָׁלוֹם עולם, עברית 42",
    "नमस्ते दुनिया, क्ष्म त्र ज्ञ",
    "আমার সোনার বাংলা ক্ষ",
    "ਸਤਿ ਸ੍ਰੀ ਅਕਾਲ",
    "ગુજરાતી ભાષા",
    "ଓଡ଼ିଆ ଭାଷା",
    "தமிழ் மொழி ஸ்ரீ",
    "తెలుగు భాష",
    "ಕನ್ನಡ ನುಡಿ",
    "മലയാളം ഭാഷ ൻ ർ",
    "සිංහල භාෂාව ක්‍ෂ",
    "ภาษาไทยไม่มีเว้นวรรค กี่ ๑๒๓",
    "ພາສາລາວ",
    "བོད་སྐད་ཡིག",
    "မြန်မာဘာသာ",
    "ភាសាខ្មែរ ស្ត្រី",
    "ქართული ენა",
    "Հայերեն լեզու",
    "አማርኛ ቋንቋ",
    "한국어 문장과 \u1112\u1161\u11ab\u1100\u1173\u11af 조합",
    "日本語のテキスト、カタカナ、ｶﾀｶﾅ、々〆",
    "简体中文，繁體中文：龘𠮷𪚥",
    "ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ",
    "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ",
    "ᐃᓄᒃᑎᑐᑦ",
    "ދިވެހިބަސް",
    "ܠܫܢܐ ܣܘܪܝܝܐ",
    "ⵜⴰⵎⴰⵣⵉⵖⵜ",
    "ߒߞߏ",
    "ꆈꌠꉙ",
    "ᚠᚢᚦᚨᚱᚲ",
    "𐌲𐌿𐍄𐌹𐍃𐌺",
    "𒀀𒁀𒃲",
    "𓀀𓂀𓆣",
)
NASTY = (
    *SCRIPTS,
    "",
    "a",
    " ",
    "\n",
    "▁",
    "🙂 👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇩🇪🇫🇷 1️⃣ ☂︎ ☂️",
    "left \u200fright\u200e \u202bembedded\u202c \u2067isolated\u2069",
    "e\u0301 \u00e9 o\u0328\u0304 Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324",
    "def f(x: int) -> str:\n\treturn f'{x!r:>10}'  # 0xFF\n\n\n\nif (a&&b||!c) { x[i++] <<= 2; }\r\n",
    "SELECT * FROM t WHERE a <> 'x' -- ok; https://example.org/a%20b?q=1&r=#f me@example.org C:\\x\\y.txt",
    "   leading, trailing   and" + " " * 40 + "inside" + "\t" * 33 + "\n" * 35 + "  \n \n\t \t",
    "nbsp\u00a0thin\u2009ideographic\u3000zero\u200bwidth\u2060joiner\ufeffmark soft\u00adhyphen \u2028line\u2029paragraph\x85next",
    "<h1>Title</h1><p>a<b>bold</b><br/><td></td><table><tr></tbody></code><notatag>",
    "<start_of_turn>user<end_of_turn> <unused7><unused99999> <mask>[multimodal] <0x41><0x0A>",
    "naÃ¯ve â€œquotedâ€\x9d KÃ¤se \ufffd\ufffd ï»¿",
    "\x00\x01\x07\x1b[31mred\x1b[0m\x7f\x9f \ue000\U000f0000\U0010ffff \ufdd0\uffff",
    "lone \ud800 surrogates \udfff\udc00 here",
    "ﬁ ﬂ ½ № ™ ㎏ Ⅷ ① ａｂｃ １２３ ℌ 𝕳𝖊𝖑𝖑𝖔",
    "a" * 300 + "ha" * 200 + "=" * 200 + "的" * 100 + "0" * 100 + "3.14159265358979",
)
WRITTEN_CONTROLS = ("<bos>", "<eos>", "<pad>", "<unk>", "<image_soft_token>", "x<bos>y</s> <eos><eos>")

any_character = st.characters(exclude_categories=())  # lone surrogates and control characters too


def texts(*special: str) -> st.SearchStrategy[str]:
    """Texts of all of Unicode, known words, runs of blanks and special strings."""
    words = sorted({word for line in LINES for word in line.split()})
    runs = st.tuples(st.sampled_from(" ▁\n\t\ra"), st.integers(1, 40)).map(lambda run: run[0] * run[1])
    parts = st.one_of(st.text(any_character), st.sampled_from(words), st.sampled_from(special), runs)
    return st.lists(parts, max_size=12).map("".join)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two tokenizers of one model, and SentencePiece itself."""

    quick: QuickTokenizer
    slow: SentencePieceTokenizer
    processor: Any

    def differences(self, cases: tuple[str, ...]) -> dict[str, tuple[list[int], list[int]]]:
        """The results of both for each text on which they disagree."""
        found = {text: (self.quick.encode(text, ALL), self.slow.encode(text, ALL)) for text in cases}
        return {text: ids for text, ids in found.items() if ids[0] != ids[1]}


def opened(model_file: Path, folder: Path) -> Pair:
    from sentencepiece import SentencePieceProcessor

    assert write_quick_tokenizer(model_file, TokenizerKind.SENTENCEPIECE, folder)
    processor = SentencePieceProcessor(model_file=str(model_file))
    return Pair(QuickTokenizer(folder), SentencePieceTokenizer(model_file), processor)


def train(file: Path, **options: Any) -> Path:
    """A tiny model of Gemma's kind, unless the options say otherwise."""
    from sentencepiece import SentencePieceTrainer

    content = io.BytesIO()
    settings_of_gemma = {
        "model_type": "bpe",
        "vocab_size": 800,
        "byte_fallback": True,
        "character_coverage": 0.98,
        "normalization_rule_name": "identity",
        "add_dummy_prefix": False,
        "remove_extra_whitespaces": False,
        "user_defined_symbols": SYMBOLS,
        **{"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3},
    }
    arguments = {**settings_of_gemma, "minloglevel": 2, **options}
    SentencePieceTrainer.train(sentence_iterator=iter(LINES), model_writer=content, **arguments)
    file.write_bytes(content.getvalue())
    return file


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("tiny")
    return opened(train(folder / "tokenizer.model"), folder)


@settings(max_examples=500)
@given(text=texts(*SYMBOLS, "abcde", "ab", "bcd", "<b", "<bo<b>", "the 7", "<s>", "<unk>", "<0x41>"))
@example("")
@example(" ▁ ▁▁  ")
@example("\x00")
@example("abcde abcbcde")
@example("\ud83d\ude00")
def test_the_ids_are_those_of_sentencepiece(tiny: Pair, text: str) -> None:
    valid = text.encode("utf-8", "replace").decode("utf-8")
    ids = tiny.quick.encode(text, ALL)
    assert ids == [2, *tiny.processor.encode(valid), 1]
    assert ids == tiny.slow.encode(text, ALL)


def test_nasty_texts_have_the_ids_of_sentencepiece(tiny: Pair) -> None:
    assert tiny.differences((*NASTY, *WRITTEN_CONTROLS)) == {}


@given(text=texts(*SYMBOLS), max_tokens=st.integers(2, 40))
def test_a_long_text_loses_its_end_and_keeps_both_marks(tiny: Pair, text: str, max_tokens: int) -> None:
    whole, cut = tiny.quick.encode(text, ALL), tiny.quick.encode(text, max_tokens)
    assert len(cut) == min(len(whole), max_tokens)
    assert cut == [2, *whole[1:-1][: max_tokens - 2], 1]
    assert cut == tiny.slow.encode(text, max_tokens)


def test_no_text_is_two_marks(tiny: Pair) -> None:
    assert tiny.quick.encode("", ALL) == [2, 1]


def test_the_longest_symbol_wins_and_keeps_apart_what_is_around_it(tiny: Pair) -> None:
    ids = {symbol: tiny.processor.piece_to_id(symbol) for symbol in SYMBOLS}
    assert tiny.quick.encode("\n\n\n\n", ALL) == [2, ids["\n\n\n"], ids["\n"], 1]
    assert tiny.quick.encode("   ", ALL) == [2, ids["▁▁▁"], 1]
    assert tiny.quick.encode("<bold>7", ALL) == [2, ids["<bold>"], ids["7"], 1]
    assert ids["bcde"] not in tiny.quick.encode("abcde", ALL)


def test_opening_needs_the_two_files_only(tmp_path: Path) -> None:
    pair = opened(train(tmp_path / "tokenizer.model"), tmp_path)
    (tmp_path / "tokenizer.model").unlink()
    assert {path.name for path in tmp_path.iterdir()} == {SYMBOLS_FILE, TABLE_FILE}
    assert QuickTokenizer(tmp_path).encode(LINES[0], ALL) == pair.quick.encode(LINES[0], ALL)
    assert set(json.loads((tmp_path / SYMBOLS_FILE).read_text("utf-8"))["symbols"]) == set(SYMBOLS)


@pytest.mark.parametrize(
    "options",
    [
        {"model_type": "unigram", "vocab_size": 600},
        {"model_type": "char"},
        {"add_dummy_prefix": True},
        {"normalization_rule_name": "nmt_nfkc"},
        {"remove_extra_whitespaces": True},
        {"byte_fallback": False},
    ],
    ids=lambda options: " ".join(map(str, options.values())),
)
def test_a_model_of_another_kind_is_refused_and_leaves_no_files(tmp_path: Path, options: dict[str, Any]) -> None:
    model_file = train(tmp_path / "tokenizer.model", **options)
    assert not write_quick_tokenizer(model_file, TokenizerKind.SENTENCEPIECE, tmp_path)
    assert list(tmp_path.iterdir()) == [model_file]


def swap_two_scores(model: Any) -> None:
    first, second = model.pieces[300], model.pieces[301]
    first.score, second.score = second.score, first.score


def repeat_a_score(model: Any) -> None:
    model.pieces[301].score = model.pieces[300].score


def retire_a_piece(model: Any) -> None:
    model.pieces[300].type = model.SentencePiece.UNUSED


def leave_spaces_alone(model: Any) -> None:
    """Nothing that is looked at before the trial texts are."""
    model.normalizer_spec.escape_whitespaces = False


@pytest.mark.parametrize("change", [swap_two_scores, repeat_a_score, retire_a_piece, leave_spaces_alone])
def test_a_changed_model_is_refused_and_leaves_no_files(tmp_path: Path, change: Callable[[Any], None]) -> None:
    from sentencepiece import sentencepiece_model_pb2

    model: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]  # made when it is imported
    model_file = train(tmp_path / "tokenizer.model")
    model.ParseFromString(model_file.read_bytes())
    assert {piece.type for piece in model.pieces[300:302]} == {model.SentencePiece.NORMAL}
    change(model)
    model_file.write_bytes(model.SerializeToString())
    assert not write_quick_tokenizer(model_file, TokenizerKind.SENTENCEPIECE, tmp_path)
    assert list(tmp_path.iterdir()) == [model_file]


def as_json(model_file: Path, **changes: Any) -> Path:
    """The same tokenizer as a tokenizer.json, as transformers converts it."""
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_file=str(model_file))
    vocabulary = {processor.id_to_piece(number): number for number in range(processor.vocab_size())}
    added = [
        name for name in vocabulary if name in SYMBOLS or processor.is_control(vocabulary[name]) or name == "<unk>"
    ]
    merges = [
        [piece[:end], piece[end:]]
        for piece, number in vocabulary.items()
        if piece not in added and not processor.is_byte(number)
        for end in range(1, len(piece))
        if piece[:end] in vocabulary and piece[end:] in vocabulary
    ]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    content: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [{"id": vocabulary[n], "content": n, "special": n not in SYMBOLS, **flags} for n in added],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "</s>", "type_id": 0}},
            ],
            "pair": [{"Sequence": {"id": name, "type_id": 0}} for name in "AB"],
            "special_tokens": {n: {"id": n, "ids": [vocabulary[n]], "tokens": [n]} for n in ("<s>", "</s>")},
        },
        "decoder": None,
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": vocabulary,
            "merges": merges,
        },
    }
    content["model"] |= {name: value for name, value in changes.items() if name in content["model"]}
    content |= {name: value for name, value in changes.items() if name not in content["model"]}
    file = model_file.with_name("tokenizer.json")
    file.write_text(json.dumps(content), "utf-8")
    return file


@pytest.fixture(scope="module")
def tiny_json(tmp_path_factory: pytest.TempPathFactory) -> tuple[QuickTokenizer, FastTokenizer]:
    folder = tmp_path_factory.mktemp("tiny_json")
    # A tokenizer.json looks for symbols before blanks become U+2581, so those with U+2581 are found in other texts.
    symbols = [symbol for symbol in SYMBOLS if "▁" not in symbol]
    file = as_json(train(folder / "tokenizer.model", user_defined_symbols=symbols))
    assert write_quick_tokenizer(file, TokenizerKind.TOKENIZERS, folder)
    return QuickTokenizer(folder), FastTokenizer(file)


@settings(max_examples=300)
@given(text=texts("\n\n", "<b>", "<bold>", "abc", "abcde", "<b", "<s>", "</s>", "<unk>", "<0x41>"))
@example("▁ ▁▁  ")
def test_from_a_tokenizer_json_the_ids_are_those_of_its_library(
    tiny_json: tuple[QuickTokenizer, FastTokenizer], text: str
) -> None:
    quick, slow = tiny_json
    assert quick.encode(text, ALL) == slow.encode(text, ALL)


@pytest.mark.parametrize(
    "change",
    [
        {"byte_fallback": False},
        {"normalizer": {"type": "NFC"}},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"merges": []},
        {"post_processor": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_tokenizer_json_of_another_kind_is_refused_and_leaves_no_files(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    file = as_json(train(tmp_path / "tokenizer.model"), **change)
    assert not write_quick_tokenizer(file, TokenizerKind.TOKENIZERS, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"tokenizer.model", "tokenizer.json"}


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return opened(EMBEDDINGGEMMA / "tokenizer.model", tmp_path_factory.mktemp("gemma"))


@pytest.fixture(scope="module")
def gemma_json() -> FastTokenizer:
    """Gemma's tokenizer as the library `tokenizers` reads it."""
    return FastTokenizer(EMBEDDINGGEMMA / "tokenizer.json")


GEMMA_TEXTS = texts("<b>", "</td>", "<unused7>", "<start_of_turn>", "[multimodal]", "<bos>", "<eos>", "▁▁▁", "<0x41>")


@pytest.mark.embeddinggemma
def test_gemmas_ids_are_those_of_sentencepiece_on_nasty_texts(gemma: Pair) -> None:
    assert gemma.differences((*NASTY, *WRITTEN_CONTROLS, *LINES)) == {}


@pytest.mark.embeddinggemma
def test_gemmas_ids_are_those_of_sentencepiece_for_every_character(gemma: Pair) -> None:
    """Of the planes in which there are any."""
    starts = (*range(0, 0x33480, 64), *range(0xE0000, 0xE0200, 64))
    assert gemma.differences(tuple("".join(map(chr, range(start, start + 64))) for start in starts)) == {}


@pytest.mark.embeddinggemma
@settings(max_examples=500)
@given(text=GEMMA_TEXTS, max_tokens=st.sampled_from([2, 3, 16, ALL]))
def test_gemmas_ids_are_those_of_sentencepiece(gemma: Pair, text: str, max_tokens: int) -> None:
    assert gemma.quick.encode(text, max_tokens) == gemma.slow.encode(text, max_tokens)


def is_read_otherwise(text: str) -> bool:
    """True if `tokenizers` and SentencePiece read a text of Gemma's differently, both as they are meant to.

    `tokenizers` takes a control token that is written out for the token itself, which SentencePiece, and so searchkit,
    never does. And a run of U+2581 is a symbol to it before spaces become U+2581, to SentencePiece afterwards; so a run
    that touches a space is cut at another place.
    """
    return re.search("<(bos|eos|pad|unk|image_soft_token)>|▁▁ | ▁▁", text) is not None


@pytest.mark.embeddinggemma
def test_sentencepiece_and_tokenizers_agree_on_nasty_texts(gemma: Pair, gemma_json: FastTokenizer) -> None:
    assert not any(map(is_read_otherwise, NASTY))
    for text in (*NASTY, *LINES):
        assert gemma.slow.encode(text, ALL) == gemma_json.encode(text, ALL), text
        assert gemma.slow.encode(text, 16) == gemma_json.encode(text, 16), text
        assert gemma.slow.count(text) == gemma_json.count(text), text


@pytest.mark.embeddinggemma
@settings(max_examples=500)
@given(text=GEMMA_TEXTS.filter(lambda text: not is_read_otherwise(text)))
def test_sentencepiece_and_tokenizers_agree(gemma: Pair, gemma_json: FastTokenizer, text: str) -> None:
    assert gemma.slow.encode(text, ALL) == gemma_json.encode(text, ALL)


@pytest.mark.embeddinggemma
def test_a_control_token_that_is_written_out_stays_text(gemma: Pair, gemma_json: FastTokenizer) -> None:
    controls = set(range(4))
    for text in WRITTEN_CONTROLS:
        ids = gemma.quick.encode(text, ALL)
        assert (ids[0], ids[-1]) == (2, 1)
        assert controls.isdisjoint(ids[1:-1])
        assert gemma_json.encode(text, ALL) != ids


@pytest.mark.embeddinggemma
def test_the_table_of_gemmas_tokenizer_json_gives_the_ids_of_its_library(
    tmp_path: Path, gemma_json: FastTokenizer
) -> None:
    assert write_quick_tokenizer(EMBEDDINGGEMMA / "tokenizer.json", TokenizerKind.TOKENIZERS, tmp_path)
    quick = QuickTokenizer(tmp_path)
    assert [
        text for text in (*NASTY, *WRITTEN_CONTROLS[:4]) if quick.encode(text, ALL) != gemma_json.encode(text, ALL)
    ] == []
