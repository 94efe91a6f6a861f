"""Chat completions: a conversation becomes a question, and the answer is streamed."""
