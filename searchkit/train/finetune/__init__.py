"""Fine-tuning of the base checkpoint itself, by LoRA or in full, into a checkpoint that is imported like any other."""
