"""Reduces a checkpoint's tokenizer to the tokens of a corpus.

EmbeddingGemma's table of 262,144 tokens would be nearly all of a small model, and its softmax nearly all of the training. Texts of
which every token is kept are tokenized as before; in others, tokens that are left out fall apart into smaller ones.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from searchkit.embedding.tokenizer import FastTokenizer, TokenizerKind, open_tokenizer
from searchkit.errors import UnsupportedCheckpointError
from searchkit.files import write_atomically

TOKENIZER, CONFIG = "tokenizer.json", "tokenizer_config.json"
_NAMED = ("pad_token", "bos_token", "eos_token", "cls_token", "sep_token", "unk_token")
_LAST_CHARACTER = (
    0x17F  # Latin letters and what stands for bytes; those of other scripts are kept if the corpus has them
)
_AT_ONCE = 256  # texts tokenized together
_Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A tokenizer's tokens. `kept`: their ids in the checkpoint, ascending; a token's own id is its place among them.

    `pad`: the own id of the padding token. `opening`, `closing`: own ids of the special tokens before and behind a text.
    """

    kept: tuple[int, ...]
    pad: int
    opening: tuple[int, ...]
    closing: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.kept)


def reduce_tokenizer(source: Path, texts: Sequence[str], most: int, target: Path) -> Vocabulary:
    """Write the tokenizer of the folder `source` to `target`, reduced to at most about `most` tokens, the most frequent in texts.

    Characters and what frequent tokens are merged from are kept too. Raises UnsupportedCheckpointError if the folder has no
    tokenizer.json or one of an unknown kind, ModelError if it is damaged.
    """
    content, config = _read(source / TOKENIZER), _read(source / CONFIG)
    model = content.get("model") or {}
    plain = _ids_by_token(model)
    tokenizer = open_tokenizer(TokenizerKind.TOKENIZERS, source / TOKENIZER)
    ids = plain | {str(token["content"]): int(token["id"]) for token in content["added_tokens"]}
    named = _named_tokens(config, model)
    special = {token for token in (*named.values(), *_of_post_processor(content.get("post_processor"))) if token in ids}
    tokens = {number: token for token, number in ids.items()}
    counts = Counter[int]()
    for start in range(0, len(texts), _AT_ONCE):
        for encoded in tokenizer.encode_many(texts[start : start + _AT_ONCE]):
            counts.update(encoded)
    wanted = {tokens[number] for number, _ in counts.most_common(most)}
    kept_tokens = (special | wanted | _parts(model, wanted) | set(_characters(model, ids))) & ids.keys()
    kept = sorted({ids[token] for token in kept_tokens})
    new = {tokens[number]: place for place, number in enumerate(kept)}
    _write(target / TOKENIZER, _reduced(content, new, special))
    _write(target / CONFIG, {**_settings(config), **{name: token for name, token in named.items() if token in new}})
    own = FastTokenizer(target / TOKENIZER)
    opening, closing = _around(own)
    pad = new.get(named.get("pad_token", ""), 0)
    return Vocabulary(tuple(kept), pad, opening, closing)


def _around(tokenizer: FastTokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special tokens before and behind a text."""
    bare, whole = tokenizer.encode_many(["a"])[0], tokenizer.encode("a", 64)
    starts = range(len(whole) - len(bare) + 1)
    start = next((start for start in starts if whole[start : start + len(bare)] == bare), 0)
    return tuple(whole[:start]), tuple(whole[start + len(bare) :])


def _read(file: Path) -> _Json:
    """Read a JSON object. Raises UnsupportedCheckpointError if there is none."""
    try:
        content = json.loads(file.read_text("utf-8"))
        if isinstance(content, dict):
            return content
        reason = "it has no JSON object"
    except OSError as error:
        reason = error.strerror or repr(error)
    except ValueError as error:
        reason = f"it is not JSON: {error}"
    raise UnsupportedCheckpointError(
        f"The tokenizer's {file} cannot be read ({reason}).",
        remedy="Name a checkpoint folder that contains tokenizer.json and tokenizer_config.json.",
    )


def _write(file: Path, content: _Json) -> None:
    write_atomically(file, json.dumps(content, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass"))


def _ids_by_token(model: _Json) -> dict[str, int]:
    """The ids of a tokenizer's model. Raises UnsupportedCheckpointError for an unknown kind."""
    kind, vocab = model.get("type"), model.get("vocab")
    if kind in ("BPE", "WordPiece", "WordLevel") and isinstance(vocab, dict) and not model.get("end_of_word_suffix"):
        return {str(token): int(number) for token, number in vocab.items()}
    if kind == "Unigram" and isinstance(vocab, list):
        return {str(token): number for number, (token, _) in enumerate(vocab)}
    raise UnsupportedCheckpointError(
        f"A tokenizer of the kind {kind} cannot be reduced to a corpus; BPE, WordPiece, Unigram and WordLevel can."
    )


def _named_tokens(config: _Json, model: _Json) -> dict[str, str]:
    """The special tokens by their names in tokenizer_config.json."""
    found = {"unk_token": str(model["unk_token"])} if model.get("unk_token") else {}
    if model.get("type") == "Unigram" and model.get("unk_id") is not None:
        found["unk_token"] = str(model["vocab"][model["unk_id"]][0])
    for name in _NAMED:
        value = config.get(name)
        if token := value.get("content") if isinstance(value, dict) else value:
            found[name] = str(token)
    return found


def _of_post_processor(processor: Any) -> Iterator[str]:
    """The tokens that a post-processor puts around a text."""
    if isinstance(processor, dict):
        yield from processor.get("special_tokens") or ()
        yield from (str(processor[side][0]) for side in ("cls", "sep") if isinstance(processor.get(side), list))
        for part in processor.get("processors") or ():
            yield from _of_post_processor(part)


def _parts(model: _Json, wanted: set[str]) -> set[str]:
    """All that byte pair encoding forms on its way to some tokens, which come about in the same way wherever they occur."""
    if model["type"] != "BPE":
        return set()
    ranks = {merge: rank for rank, merge in enumerate(_merges(model))}
    found: set[str] = set()
    for token in wanted:
        symbols = list(token)
        found.update(symbols)
        while len(symbols) > 1:
            best = min(pairwise(symbols), key=lambda pair: ranks.get(pair, len(ranks)))
            if best not in ranks:
                break
            place = list(pairwise(symbols)).index(best)
            symbols[place : place + 2] = ["".join(best)]
            found.add(symbols[place])
    return found


def _merges(model: _Json) -> list[tuple[str, str]]:
    """The merges, the first one first; older files have them as texts."""
    return [
        (str(merge[0]), str(merge[1])) if isinstance(merge, list) else (merge.split(" ")[0], merge.split(" ")[1])
        for merge in model["merges"]
    ]


def _characters(model: _Json, ids: Mapping[str, int]) -> Iterator[str]:
    """Single letters, and bytes: with them any text can be written."""
    prefix = model.get("continuing_subword_prefix") or ""
    for token in ids:
        bare = token.removeprefix(prefix) if prefix else token
        is_byte = bool(model.get("byte_fallback")) and len(token) == len("<0x00>") and token.startswith("<0x")
        if is_byte or (model["type"] != "WordLevel" and len(bare) == 1 and ord(bare) <= _LAST_CHARACTER):
            yield token


def _reduced(content: _Json, new: Mapping[str, int], special: set[str]) -> _Json:
    """A tokenizer file of the tokens in `new`, which has their new ids."""
    model = dict(content["model"])
    if model["type"] == "Unigram":
        model["vocab"] = [entry for entry in model["vocab"] if entry[0] in new]
        names = [entry[0] for entry in model["vocab"]]
        if model.get("unk_id") is not None:
            model["unk_id"] = names.index(content["model"]["vocab"][model["unk_id"]][0])
    else:
        model["vocab"] = {token: new[token] for token in sorted(new, key=new.__getitem__) if token in model["vocab"]}
    if model["type"] == "BPE":
        model["merges"] = [list(pair) for pair in _merges(model) if all(each in new for each in (*pair, "".join(pair)))]
    added = [
        {**token, "id": new[token["content"]]}
        for token in content["added_tokens"]
        if token["content"] in new and (token["content"] in special or not token["special"])
    ]
    processor = _renumbered(content.get("post_processor"), new)
    return {
        **content,
        "truncation": None,
        "padding": None,
        "added_tokens": sorted(added, key=lambda token: int(token["id"])),
        "post_processor": processor,
        "model": model,
    }


def _renumbered(processor: Any, new: Mapping[str, int]) -> Any:
    """A post-processor with the new ids."""
    if not isinstance(processor, dict):
        return processor
    found = dict(processor)
    if isinstance(found.get("special_tokens"), dict):
        found["special_tokens"] = {
            name: {**token, "ids": [new[each] for each in token["tokens"]]}
            for name, token in found["special_tokens"].items()
        }
    for side in ("cls", "sep"):
        if isinstance(found.get(side), list):
            found[side] = [found[side][0], new[found[side][0]]]
    if isinstance(found.get("processors"), list):
        found["processors"] = [_renumbered(part, new) for part in found["processors"]]
    return found


def _settings(config: _Json) -> _Json:
    """The settings of the reduced tokenizer: everything that matters is in tokenizer.json."""
    length = config.get("model_max_length")
    kept = {"model_max_length": length} if isinstance(length, int) else {}
    return {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False, **kept}
