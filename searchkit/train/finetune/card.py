"""The model card of a tuned checkpoint: what it is made of, and under which terms it may be used."""

from collections.abc import Mapping

from searchkit.train.finetune.base import Base

_GEMMA_NOTICE = (
    "Gemma is provided under and subject to the Gemma Terms of Use found at https://ai.google.dev/gemma/terms. This model is a"
    " Model Derivative of Gemma: who passes it on passes these terms and their use restrictions on with it, and says that"
    " its weights were modified."
)


def licence_of(base: Base) -> str:
    """The base's licence, which is the tuned model's: Gemma's terms for its family, whatever a copy's card says."""
    licence = base.checkpoint.licence
    is_gemma = base.checkpoint.model_type.startswith("gemma") or "gemma" in licence.lower()
    return "gemma" if is_gemma else licence


def model_card(base: Base, facts: Mapping[str, object]) -> str:
    """The card as Markdown. `facts`: rows of its table."""
    licence = licence_of(base)
    notice = f"\n{_GEMMA_NOTICE}\n" if licence == "gemma" else ""
    table = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return f"""---
license: {licence}
base_model: {base.name}
library_name: sentence-transformers
pipeline_tag: sentence-similarity
---
# A fine-tuned {base.name}

Made from {base.name} by `searchkit train finetune` on its user's own documents. The documents are not part of the model, but
a model can reveal something of what it was trained on: pass it on only to those who may read them.

| | |
|---|---|
{table}

## Licence

The base's licence holds for this model too: {licence}.
{notice}
"""
