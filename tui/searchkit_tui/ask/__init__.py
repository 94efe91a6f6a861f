"""A question to the local LLM, and the passages that it answers from."""
