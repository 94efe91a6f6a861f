"""The corpus improves the model: pairs, losses, adapters, and proof before and after."""
