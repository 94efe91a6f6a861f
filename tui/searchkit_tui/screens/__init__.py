"""The screens about searching."""
