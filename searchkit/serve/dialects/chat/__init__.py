"""Chat completions: turning a conversation into a question, and streaming the answer."""
