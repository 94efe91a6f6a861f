"""Opens the base checkpoint for training by torch: what is frozen and what is trained, LoRA, heads, precision."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from searchkit.embedding.import_model import form_for
from searchkit.errors import Action, ModelError, Option, Remedy, UnsupportedCheckpointError
from searchkit.train.finetune.pooling import POOLING_TYPE, AttentionPooling
from searchkit.train.options import FinetuneOptions, Method, Precision

HEADS = r"(^|\.)\d+\.(linear\.|value\.|probes$)"  # a pattern for the names of weights of Dense modules and attention pooling
TOKEN_TABLES = ("embed_tokens.weight", "word_embeddings.weight", "tok_embeddings.weight")  # the ends of their names
_LORA_TARGETS = {  # patterns for the names of the layers' products
    "bert": r".*layer\.\d+\..*(query|key|value|dense)",
    "gemma3_text": r".*layers\.\d+\..*_proj",
}
_BASE_LAYER = ".base_layer"  # what peft adds to the name of a weight that it updates
_LORA = "lora_"


def open_network(folder: Path, options: FinetuneOptions) -> Any:
    """Open a SentenceTransformer to train by `options`. Raises UnsupportedCheckpointError if there is no LoRA for it."""
    network = _open(folder, options)
    _prepare(network, options)
    _round(network, folder, options)
    return network


def open_plain(folder: Path, options: FinetuneOptions) -> Any:
    """Open a SentenceTransformer as it is used: nothing is frozen or added, but its numbers are rounded if `options` say so."""
    network = _open(folder, options)
    _round(network, folder, options)
    return network


def _open(folder: Path, options: FinetuneOptions) -> Any:
    """Open a SentenceTransformer in float32 on the best device, without dropout; runs no remote code and stays offline."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if options.threads:
        torch.set_num_threads(options.threads)
    # It refuses modules of other packages, as code that the folder chooses, and has no public way to name one that is ours.
    network = SentenceTransformer._load_with_module_classes(
        str(folder),
        {POOLING_TYPE: AttentionPooling},
        device=best_device(),
        local_files_only=True,
        model_kwargs={"dtype": torch.float32},
    )
    network.tokenizer.padding_side = "right"  # groups of texts are cut on that side
    network.max_seq_length = min(options.max_tokens, network.max_seq_length or options.max_tokens)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(getattr(module, "attention_dropout", None), float):  # dropout that is not a module
            module.attention_dropout = 0.0
    return network


def _prepare(network: Any, options: FinetuneOptions) -> None:
    """Freeze the weights that are not trained; for LoRA, add its updates."""
    encoder = encoder_of(network)
    if options.method is Method.LORA:
        _add_lora(network, encoder.config.model_type, options.lora_rank, options.seed)
    of_encoder = {id(weight) for weight in encoder.parameters()}
    for name, weight in network.named_parameters():
        only_lora = options.method is Method.LORA and id(weight) in of_encoder
        weight.requires_grad_(_LORA in name if only_lora else not name.endswith(TOKEN_TABLES))


def _round(network: Any, folder: Path, options: FinetuneOptions) -> None:
    """Round the numbers to those that are shipped, if they are trained for that. Raises ModelError if the checkpoint is not."""
    if options.quantize is None:
        return
    from searchkit.train.finetune.quantized import round_network

    form = form_for(folder, options.quantize)
    if form is None:
        raise ModelError(f"{folder} was not prepared for training in {options.quantize}.")
    heads = [module for _, module in heads_of(network, folder) if not isinstance(module, AttentionPooling)]
    round_network(network, encoder_of(network), heads, form)


def best_device() -> str:
    """The graphics card if torch sees one, otherwise the processor."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def compute_dtype(precision: Precision) -> torch.dtype | None:
    """The encoder's precision, None for float32. `auto`: bfloat16 if the device has instructions for it."""
    if precision is Precision.AUTO:
        fast = torch.cuda.is_bf16_supported() if best_device() == "cuda" else _processor_has_bfloat16()
        return torch.bfloat16 if fast else None
    return torch.bfloat16 if precision is Precision.BFLOAT16 else None


def encoder_of(network: Any) -> Any:
    """The transformer in the network."""
    return network.transformers_model


def trained_tensors(network: Any) -> dict[str, Tensor]:
    """Copies of the trained tensors, by name."""
    return {name: weight.detach().clone() for name, weight in network.named_parameters() if weight.requires_grad}


def put_tensors(network: Any, tensors: dict[str, Tensor]) -> None:
    """Set the trained tensors. Raises KeyError if one is missing."""
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.requires_grad:
                weight.copy_(tensors[name])


def merged_tensors(network: Any, base: Path) -> dict[str, dict[str, Tensor]]:
    """All weights by the base's module folder ("" for the encoder) and plain name, LoRA's updates merged by peft.

    The network has the updates in its weights afterwards and gives the same vectors.
    """
    encoder = encoder_of(network)
    _merge_lora(encoder)
    found = {"": {_plain(name): value for name, value in encoder.state_dict().items() if _LORA not in name}}
    for place, module in heads_of(network, base):
        found[place] = dict(module.state_dict())
    return found


def heads_of(network: Any, base: Path) -> Iterator[tuple[str, nn.Module]]:
    """Yield folder and module of attention pooling and of each Dense head; a bare encoder has none."""
    listed = base / "modules.json"
    places = [str(module["path"]) for module in json.loads(listed.read_text("utf-8"))] if listed.is_file() else []
    for place, module in zip(places, network, strict=False):
        if type(module).__name__ in ("Dense", AttentionPooling.__name__):
            yield place, module


def _add_lora(network: Any, model_type: str, rank: int, seed: int) -> None:
    from peft import LoraConfig

    targets = _LORA_TARGETS.get(model_type)
    if targets is None:
        raise UnsupportedCheckpointError(
            f"There is no LoRA for a {model_type} model here.",
            remedy=Remedy(Action.CHANGE_OPTION, option=Option.FULL_METHOD, sentence="Tune it in full"),
        )
    torch.manual_seed(seed)  # the updates' first factors are random
    network.add_adapter(LoraConfig(r=rank, lora_alpha=rank, lora_dropout=0.0, target_modules=targets))


def _merge_lora(encoder: nn.Module) -> None:
    from peft.tuners.tuners_utils import BaseTunerLayer

    for module in encoder.modules():
        if isinstance(module, BaseTunerLayer) and not module.merged:
            module.merge(safe_merge=True)


def _plain(name: str) -> str:
    return name.replace(_BASE_LAYER, "")


def _processor_has_bfloat16() -> bool:
    """True if it has instructions for bfloat16 products; without them they are slower than float32."""
    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, name, bool)() for name in checks)
