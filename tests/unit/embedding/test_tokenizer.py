"""Token ids that clients send: those of the model's own vocabulary become its text, those of another are refused."""

from pathlib import Path

import pytest

from searchkit.embedding.sample import SAMPLE_PAIRS
from searchkit.embedding.store import bundled_checkpoint
from searchkit.embedding.tokenizer import FastTokenizer, SentencePieceTokenizer
from searchkit.errors import UsageError
from tests.support.files import EMBEDDINGGEMMA
from tests.unit.embedding.test_quick_tokenizer import train

TEXTS = [text for pair in SAMPLE_PAIRS for text in pair]
# "The rent is due on the first day of each month, and the contract ends in March after two years, unless one of the two
# parties has said in writing that it shall go on." in OpenAI's cl100k_base.
OPENAI = [
    *(791, 8175, 374, 4245, 389, 279, 1176, 1938, 315, 1855, 2305, 11, 323, 279, 5226, 10548, 304, 5587, 1306),
    *(1403, 1667, 11, 7389, 832, 315, 279, 1403, 9875, 706, 1071, 304, 4477, 430, 433, 4985, 733, 389, 13),
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SentencePieceTokenizer:
    return SentencePieceTokenizer(train(tmp_path_factory.mktemp("tiny") / "tokenizer.model"))


@pytest.fixture(scope="module")
def minilm() -> FastTokenizer:
    checkpoint = bundled_checkpoint()
    assert checkpoint
    return FastTokenizer(Path(checkpoint) / "tokenizer.json")


@pytest.mark.parametrize("text", TEXTS[:20])
def test_a_part_of_a_text_keeps_its_ids(tiny: SentencePieceTokenizer, text: str) -> None:
    ids = tiny.encode(text, 1000)
    assert tiny.decode(ids) == text
    for start in range(0, len(ids) - 8, 5):
        assert tiny.decode(ids[start : start + 8])


def test_a_character_that_is_cut_off_between_its_bytes_is_no_foreign_token(tiny: SentencePieceTokenizer) -> None:
    ids = tiny.encode("a \U00020bb7 b", 1000)[1:-1]
    byte = next(i for i in range(1, len(ids)) if tiny.decode(ids[:i]).endswith("\ufffd"))
    assert tiny.decode(ids[:byte]).startswith("a")
    assert tiny.decode(ids[byte:]).endswith("b")


def test_ids_that_no_text_becomes_are_of_another_vocabulary(tiny: SentencePieceTokenizer) -> None:
    ids = tiny.encode(" ".join(TEXTS[:9]), 10_000)[1:-1]
    with pytest.raises(UsageError, match="another vocabulary"):
        tiny.decode([(each + 97) % 800 for each in ids])
    with pytest.raises(UsageError, match="not a token of this model"):
        tiny.decode([10**6])


@pytest.mark.minilm
def test_the_small_model_refuses_what_tiktoken_counts(minilm: FastTokenizer) -> None:
    own = minilm.encode("prune the roses in march", 64)
    assert minilm.decode(own) == "prune the roses in march"
    with pytest.raises(UsageError, match=r"another vocabulary.*tiktoken"):
        minilm.decode(OPENAI)


@pytest.mark.embeddinggemma
def test_gemma_refuses_what_tiktoken_counts() -> None:
    gemma = SentencePieceTokenizer(EMBEDDINGGEMMA / "tokenizer.model")
    for text in TEXTS:
        assert gemma.decode(gemma.encode(text, 1000)) == text
    with pytest.raises(UsageError, match=r"another vocabulary.*tiktoken"):
        gemma.decode(OPENAI)


def test_few_and_many_texts_have_the_same_ids(tiny: SentencePieceTokenizer, minilm: FastTokenizer) -> None:
    many = TEXTS * 3
    for tokenizer in (tiny, minilm):
        assert [tokenizer.encode_many([text])[0] for text in many] == tokenizer.encode_many(many)
