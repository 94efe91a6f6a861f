"""What can go wrong between a question and its answer; each message says what to do."""

from searchkit.errors import SearchkitError


class LlmError(SearchkitError):
    """The language model cannot answer: it refuses, is out of reach, or is not what it should be."""


class LlmNotFoundError(LlmError):
    """No language model is set up, or it is not where it was said to be."""


class WindowTooSmallError(LlmError):
    """The model's context window does not hold the question with a useful part of one source and an answer.

    `window_tokens`: the window that the server named when it refused, None if it named none.
    """

    def __init__(self, message: str, *, window_tokens: int | None = None) -> None:
        super().__init__(message)
        self.window_tokens = window_tokens


class AnswerCutError(LlmError):
    """The server went away in the middle of an answer; what came before was given out."""
