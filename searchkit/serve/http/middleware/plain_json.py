"""Escapes what JSON lets pass and terminals obey: U+009B begins a control sequence as ESC [ does, wherever an answer is printed."""

import re

from searchkit.serve.http.middleware.asgi import App, Message, Receive, Scope, Send

_STEERING = re.compile(rb"\x7f|\xc2([\x80-\x9f])")  # DEL and C1, in UTF-8


class PlainJson:
    """Escapes control characters in whole JSON answers; those that are streamed escape their own."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer back."""
        start: Message = {}

        async def escaping(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_json(message):
                start = message
                return
            if start:
                body = message.get("body", b"")
                if not message.get("more_body"):
                    body = escaped(body)
                    length = str(len(body)).encode()
                    headers = [(key, length if key == b"content-length" else value) for key, value in start["headers"]]
                    start = {**start, "headers": headers}
                await send(start)
                start = {}
                message = {**message, "body": body}
            await send(message)

        await self._app(scope, receive, escaping)


def escaped(body: bytes) -> bytes:
    """Escape DEL and C1 in JSON that is written in UTF-8."""
    if b"\xc2" not in body and b"\x7f" not in body:
        return body
    return _STEERING.sub(lambda match: b"\\u00%02x" % (match[1] or match[0])[0], body)


def _is_json(start: Message) -> bool:
    return any(key == b"content-type" and value.startswith(b"application/json") for key, value in start["headers"])
