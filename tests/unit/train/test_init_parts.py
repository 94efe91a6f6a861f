"""The parts of `train init`: reduced tokenizers, denoisers, the encoder-decoder, attention pooling, resumable pretraining."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (extra [train])")

import torch

from searchkit.embedding.tokenizer import FastTokenizer
from searchkit.errors import UnsupportedCheckpointError
from searchkit.reports import Progress
from searchkit.train.finetune.pooling import AttentionPooling
from searchkit.train.init.denoising import IGNORED, UL2, Denoiser, Mode, Texts, corrupt, extra_tokens, pieces
from searchkit.train.init.encoder_decoder import CausalModel, EncoderDecoder, bidirectional, new_config, new_model
from searchkit.train.init.pretraining import Stage, pretrain
from searchkit.train.init.vocabulary import Vocabulary, reduce_tokenizer
from searchkit.train.options import Precision
from tests.support.errors import refused
from tests.support.random_checkpoints import write_tokenizer
from tests.support.reference_texts import DOCUMENTS

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn of each other
CORPUS = [text[:600] for text in DOCUMENTS[:8]]
WORDS = Vocabulary(kept=tuple(range(50)), pad=0, opening=(2,), closing=(1,))
SMALL = {"layers": 3, "width": 24, "tokens": 50, "pad": 0}
DENOISERS = pytest.mark.parametrize("denoiser", UL2, ids=lambda one: f"{one.mode.name}-{one.span}-{one.rate}")


def byte_pairs(folder: Path) -> None:
    write_tokenizer(folder, 512)


def trained(model: Any, trainer: Any) -> Callable[[Path], None]:
    """Writes a tokenizer of another kind, trained on the corpus, with [CLS] before and [SEP] behind a text."""

    def write(folder: Path) -> None:
        from tokenizers import Tokenizer, pre_tokenizers, processors

        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        tokenizer = Tokenizer(model())
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.train_from_iterator([*DOCUMENTS], trainer(special))
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
        tokenizer.enable_truncation(16)
        tokenizer.save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text('{"pad_token": "[PAD]", "unk_token": {"content": "[UNK]"}}')

    return write


def word_pieces() -> Callable[[Path], None]:
    from tokenizers import models, trainers

    return trained(
        lambda: models.WordPiece(unk_token="[UNK]"),
        lambda special: trainers.WordPieceTrainer(vocab_size=900, special_tokens=special, show_progress=False),
    )


def whole_words() -> Callable[[Path], None]:
    from tokenizers import models, trainers

    return trained(
        lambda: models.WordLevel(unk_token="[UNK]"),
        lambda special: trainers.WordLevelTrainer(vocab_size=900, special_tokens=special, show_progress=False),
    )


def likeliest_pieces() -> Callable[[Path], None]:
    from tokenizers import models, trainers

    return trained(
        models.Unigram,
        lambda special: trainers.UnigramTrainer(
            vocab_size=900, special_tokens=special, unk_token="[UNK]", show_progress=False
        ),
    )


@pytest.mark.parametrize("kind", ["byte pairs", "word pieces", "whole words", "likeliest pieces"])
def test_a_reduced_tokenizer_cuts_the_corpus_as_the_whole_one_does(tmp_path: Path, kind: str) -> None:
    kinds = {"word pieces": word_pieces, "whole words": whole_words, "likeliest pieces": likeliest_pieces}
    whole, reduced = tmp_path / "whole", tmp_path / "reduced"
    whole.mkdir()
    reduced.mkdir()
    (kinds[kind]() if kind in kinds else byte_pairs)(whole)
    vocabulary = reduce_tokenizer(whole, CORPUS, 10_000, reduced)
    before, after = FastTokenizer(whole / "tokenizer.json"), FastTokenizer(reduced / "tokenizer.json")
    assert len(vocabulary) < before._tokenizer.get_vocab_size()
    for text in CORPUS:
        old, new = before.encode(text, 10_000), after.encode(text, 10_000)
        assert [vocabulary.kept[each] for each in new] == old
    opening, closing = after.encode("", 8)
    assert (vocabulary.opening, vocabulary.closing) == ((opening,), (closing,))
    assert vocabulary.pad == 0


def test_rare_tokens_are_left_out_and_any_text_can_still_be_written(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, 512)
    (tmp_path / "reduced").mkdir()
    vocabulary = reduce_tokenizer(tmp_path, CORPUS, 100, tmp_path / "reduced")
    assert len(vocabulary) < 450  # 256 bytes, 100 frequent tokens and what they are merged from
    tokenizer = FastTokenizer(tmp_path / "reduced" / "tokenizer.json")
    for text in ("Zwölf Boxkämpfer", "日本語", "🙂 quite unlike the corpus"):
        assert tokenizer.decode(tokenizer.encode_many([text])[0]).strip() == text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        ("[]", "no JSON object"),
        ("{", "not JSON"),
        ('{"model": {"type": "Other", "vocab": {}}, "added_tokens": []}', "kind Other"),
    ],
)
def test_a_tokenizer_that_cannot_be_reduced_is_refused(tmp_path: Path, content: str | None, reason: str) -> None:
    (tmp_path / "tokenizer_config.json").write_text("{}")
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with refused(UnsupportedCheckpointError, reason):
        reduce_tokenizer(tmp_path, CORPUS, 100, tmp_path)


@DENOISERS
@pytest.mark.parametrize("length", [8, 9, 31, 128])
def test_what_a_denoiser_takes_out_and_what_it_leaves_are_the_text(denoiser: Denoiser, length: int) -> None:
    generator, extra = np.random.default_rng(length), extra_tokens(128)
    for _ in range(20):
        piece = generator.integers(0, 50, length)
        found = corrupt(piece, denoiser, 50, generator)
        assert found.source[0] == 50 + denoiser.mode
        assert found.source.max() < 50 + extra
        assert put_together(found.source[1:].tolist(), found.target.tolist()) == piece.tolist()


def put_together(source: list[int], target: list[int]) -> list[int]:
    """The text: each sentinel replaced by what follows it in the target; without sentinels, one behind the other."""
    spans: dict[int, list[int]] = {}
    last = 0
    for token in target:
        if token >= 50:
            last = token
        spans.setdefault(last, []).extend([] if token >= 50 else [token])
    text = [token for each in source for token in (spans.pop(each) if each >= 50 else [each])]
    return [*text, *spans.pop(0, [])]


@DENOISERS
def test_a_denoiser_takes_out_the_share_that_it_says(denoiser: Denoiser) -> None:
    generator = np.random.default_rng(0)
    taken = [int((corrupt(np.arange(128) % 50, denoiser, 50, generator).target < 50).sum()) for _ in range(300)]
    assert np.mean(taken) / 128 == pytest.approx(denoiser.rate, abs=0.02)


def test_the_mixture_is_ul2_s() -> None:
    modes = [denoiser.mode for denoiser in UL2]
    assert [modes.count(mode) for mode in (Mode.R, Mode.S, Mode.X)] == [2, 1, 4]


def test_short_rests_are_left_out_of_the_pieces() -> None:
    found = pieces([list(range(70)), [1, 2, 3], list(range(35))], 32)
    assert [len(piece) for piece in found] == [32, 32, 32]


def test_a_batch_for_the_decoder_alone_predicts_each_next_token() -> None:
    batch = Texts([np.arange(8), np.arange(12)], WORDS, 4).causal(np.random.default_rng(0))
    for ids, labels in zip(batch["ids"], batch["labels"], strict=True):
        count = int((labels != IGNORED).sum())
        assert ids[:count].tolist() == [2, *labels[: count - 1].tolist()]
        assert labels[count - 1] == 1


def small(**changes: Any) -> Any:
    config = new_config(**{**SMALL, **changes})
    config.sliding_window = 8
    config.layer_types = ["sliding_attention", "sliding_attention", "full_attention"][: config.num_hidden_layers]
    return config


def states(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=ids, use_cache=False).last_hidden_state
    return found


def test_the_decoder_sees_what_came_before_and_the_encoder_both_sides() -> None:
    ids = torch.arange(1, 21)[None]
    other = ids.clone()
    other[0, -1] = 40
    causal = new_model(small(), 0)
    both = new_model(bidirectional(small()), 0)
    assert torch.equal(states(causal, ids)[0, :-1], states(causal, other)[0, :-1])
    assert not torch.allclose(states(both, ids)[0, 0], states(both, other)[0, 0])


def test_a_layer_with_a_window_keeps_it() -> None:
    config = small(layers=1)
    model = new_model(bidirectional(config), 0)
    ids = torch.arange(1, 21)[None]
    for distance in range(1, 12):
        other = ids.clone()
        other[0, 10 + min(distance, 9)] = 40
        seen = not torch.allclose(states(model, ids)[0, 10], states(model, other)[0, 10])
        assert seen == (min(distance, 9) <= config.sliding_window // 2), distance


def test_the_encoder_decoder_starts_with_the_decoder_s_weights() -> None:
    causal = new_model(small(), 0)
    network = EncoderDecoder(causal, extra=7, seed=0)
    kept = network.kept_encoder()
    assert {name: value.shape for name, value in kept.items()} == {
        name: value.shape for name, value in causal.state_dict().items()
    }
    assert all(torch.equal(value, causal.state_dict()[name]) for name, value in kept.items())


def test_without_its_cross_attention_the_decoder_is_the_decoder_that_it_was() -> None:
    causal = new_model(small(), 0)
    network = EncoderDecoder(causal, extra=7, seed=0)
    ids = torch.randint(0, 50, (2, 30))  # longer than the window
    memory, seen = torch.randn(2, 5, 24), torch.ones(2, 1, 1, 5, dtype=torch.bool)
    with torch.no_grad():
        crossed = network._decode(ids, memory, seen)
        for part in network.crossed:
            part.attention.o_proj.weight.zero_()
        alone = network._decode(ids, memory, seen)
    assert torch.allclose(alone, states(causal, ids), atol=1e-5)
    assert not torch.allclose(alone, crossed, atol=0.01)


def test_padding_changes_no_loss() -> None:
    network = EncoderDecoder(new_model(small(), 0), extra=extra_tokens(32), seed=0).eval()
    batch = Texts([np.arange(8), np.arange(20)], WORDS, 2).denoising(np.random.default_rng(3))
    tensors = {name: torch.from_numpy(value) for name, value in batch.items()}
    filling = {"ids": 0, "mask": 0, "written": 0, "labels": IGNORED}
    padded = {name: torch.nn.functional.pad(value, (0, 6), value=filling[name]) for name, value in tensors.items()}
    assert float(network(**tensors)) == pytest.approx(float(network(**padded)), abs=1e-5)


def test_both_stages_learn(tmp_path: Path) -> None:
    text = np.tile(np.arange(3, 19), 2)
    drawn = Texts([np.roll(text, shift) for shift in range(16)], WORDS, 8)
    model = new_model(small(), 0)
    first = pretrain(CausalModel(model), drawn.causal, stage("first", 40), tmp_path, lambda _: None)
    assert first.losses[-1] < 0.8 * first.losses[0]
    network = EncoderDecoder(model, extra_tokens(32), 0)
    second = pretrain(network, drawn.denoising, stage("second", 60), tmp_path, lambda _: None)
    assert second.losses[-1] < 0.8 * second.losses[0]


def test_tokens_that_do_not_occur_hardly_move(tmp_path: Path) -> None:
    text = np.tile(np.arange(3, 19), 2)
    drawn = Texts([np.roll(text, shift) for shift in range(16)], WORDS, 8)
    model = new_model(small(), 0)
    before = model.embed_tokens.weight.detach().clone()
    pretrain(CausalModel(model), drawn.causal, stage("language", 40), tmp_path, lambda _: None)
    moved = (model.embed_tokens.weight.detach() - before).norm(dim=1)
    assert moved[20:].mean() < 0.5 * moved[3:19].mean()


def stage(name: str, steps: int, minutes: float = 5.0) -> Stage:
    return Stage(name, "Training", steps, 3e-3, 0, 1, Precision.FLOAT32, minutes)


@pytest.mark.parametrize("stopped_at", [0, 1, 5, 9])
def test_pretraining_that_was_stopped_arrives_at_the_same_weights(tmp_path: Path, stopped_at: int) -> None:
    drawn = Texts(pieces([list(range(3, 50)) * 3], 24), WORDS, 4)

    def run(folder: str, listen: Callable[[Progress], None]) -> dict[str, torch.Tensor]:
        network = EncoderDecoder(new_model(small(), 0), extra_tokens(24), 0)
        (tmp_path / folder).mkdir(exist_ok=True)
        pretrain(network, drawn.denoising, stage("adaptation", 10, minutes=0.0), tmp_path / folder, listen)
        return network.kept_encoder()

    def stop(now: Progress) -> None:
        if now.done == stopped_at:
            raise KeyboardInterrupt

    whole = run("whole", lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        run("stopped", stop)
    steps: list[int] = []
    resumed = run("stopped", lambda now: steps.append(now.done))
    assert steps[0] == stopped_at  # nothing that was done is done again
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert all(
        torch.equal(whole[name], value) for name, value in run("whole", stop).items()
    )  # finished: not trained on


def test_a_state_that_was_cut_is_not_gone_on_from(tmp_path: Path) -> None:
    drawn = Texts(pieces([list(range(3, 50)) * 3], 24), WORDS, 4)
    pretrain(CausalModel(new_model(small(), 0)), drawn.causal, stage("language", 3), tmp_path, lambda _: None)
    file = tmp_path / "language.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    steps: list[int] = []
    pretrain(
        CausalModel(new_model(small(), 0)),
        drawn.causal,
        stage("language", 3),
        tmp_path,
        lambda now: steps.append(now.done),
    )
    assert steps == [0, 1, 2]


def test_attention_pooling_starts_as_the_mean_and_leaves_padding_out() -> None:
    module = AttentionPooling(12, 3)
    vectors = torch.randn(2, 5, 12)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    found = module.pooled(vectors, mask)
    assert torch.allclose(found[0], vectors[0].mean(dim=0), atol=1e-6)
    assert torch.allclose(found[1], vectors[1, :3].mean(dim=0), atol=1e-6)


def test_attention_pooling_is_read_as_it_was_written(tmp_path: Path) -> None:
    module = AttentionPooling(12, 3)
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_()
    module.save(str(tmp_path))
    states_, mask = torch.randn(1, 4, 12), torch.ones(1, 4)
    assert torch.equal(AttentionPooling.load(str(tmp_path)).pooled(states_, mask), module.pooled(states_, mask))
    with pytest.raises(ValueError, match="do not divide"):
        AttentionPooling(12, 5)
