"""The language model that answers: looked for when it is first needed, and again after it has failed."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from searchkit.answer.models.language_model import LanguageModel
from searchkit.errors import AnswerCutError, LlmError, WindowTooSmallError


class SharedLanguageModel:
    """One model for all answers. `choose` looks for it and raises LlmNotFoundError, which says what to do."""

    def __init__(self, choose: Callable[[], LanguageModel]) -> None:
        self._choose = choose
        self._lock = threading.Lock()
        self._model: LanguageModel | None = None

    @contextmanager
    def use(self) -> Iterator[LanguageModel]:
        """The model. If it fails, the next one to ask looks around again: its server may have another by then."""
        with self._lock:
            if self._model is None:
                self._model = self._choose()
            model = self._model
        try:
            yield model
        except (AnswerCutError, WindowTooSmallError):
            raise
        except LlmError:
            with self._lock:
                if self._model is model:
                    self._model = None
            raise

    def close(self) -> None:
        """Let go of the model; nobody may be using it."""
        with self._lock:
            if self._model is not None:
                self._model.close()
            self._model = None
