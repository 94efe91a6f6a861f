"""What models write around an answer, and what is not shown: thoughts before it, fences around it."""

import re

# What opens an answer that is put between fences as a whole; a language behind it means code.
_WRAPPED = re.compile(r"\s*```(?:(?:te?xt|plain(?:text)?|markdown|md)(?=\s*\n)|(?![\w+#.-]+[ \t]*\n))", re.IGNORECASE)


class Wrapping:
    """Leaves out the fences around an answer that is no code: what stands between fences is not checked."""

    def __init__(self) -> None:
        self._state = "unknown"

    def without(self, text: str) -> str:
        """What of a further text is no fence."""
        if self._state == "unknown" and text.strip():
            opening = _WRAPPED.match(text)
            self._state = "inside" if opening else "over"
            text = text[opening.end() :] if opening else text
        if self._state == "inside" and "```" in text:
            self._state = "over"
            text = text.replace("```", "", 1)
        return text


class Thoughts:
    """Leaves out what reasoning models think aloud at the beginning: <think> … </think>."""

    _OPEN, _CLOSE = "<think>", "</think>"

    def __init__(self) -> None:
        self._held = ""
        self._state = "unknown"

    def without(self, piece: str) -> str:
        """What of a further piece is no thought."""
        if self._state == "over":
            return piece
        self._held += piece
        head = self._held.lstrip()
        if self._state == "unknown":
            if self._OPEN.startswith(head[: len(self._OPEN)]) and len(head) < len(self._OPEN):
                return ""
            self._state = "inside" if head.startswith(self._OPEN) else "over"
        if self._state == "inside":
            if self._CLOSE not in self._held:
                return ""
            self._held = self._held.split(self._CLOSE, 1)[1].lstrip()
            self._state = "over"
        return self.rest()

    def rest(self) -> str:
        """What was held back, unless it is a thought that never ended."""
        held, self._held = self._held, ""
        return "" if self._state == "inside" else held
