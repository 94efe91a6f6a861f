"""The door of the page: a link with the token is exchanged for a cookie, since a browser sends no token by itself.

The cookie is derived from the token and opens the page alone: whoever gets to see it has no token for the other routes. A browser
sends it from pages of every port of this machine, so the page also looks at where a request comes from (see `is_foreign`).
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from searchkit.serve.http.middleware.asgi import App, Receive, Scope, Send, header, headers
from searchkit.serve.http.middleware.guards import is_token
from searchkit.serve.page.rendering import HEADERS, STATIC, page

HOME = "/ui/search"  # the page that a browser gets at /
_AREA = b"searchkit page"
_KEPT_SECONDS = 30 * 86_400
_GONE = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
_WRONG = "This token is wrong. The right one is in the link that the server printed."


class Door:
    """Lets browsers with the cookie in, gives it to those who show the token in a link, and asks all others for it.

    Behind it is the guard that requires the token: a request that may pass gets it as its header. A browser that opens the
    server's address gets the page, which is not open as that address is to programs. `token`: "" if none is required.
    """

    def __init__(self, guarded: App, token: str) -> None:
        self._guarded = guarded
        self._token = token
        self._key = hmac.new(token.encode(), _AREA, hashlib.sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] != "http" or not is_of_page(scope["path"]):
            await self._guarded(scope, receive, send)
            return
        request = Request(scope)
        is_read = scope["method"] in ("GET", "HEAD")
        is_opened = is_read and "text/html" in request.headers.get("accept", "")
        if is_opened and scope["path"] == "/":
            if shown := request.query_params.get("token", ""):
                await self._welcome(request, shown)(scope, receive, send)
                return
            scope = {**scope, "path": HOME, "raw_path": HOME.encode()}
        if self._token and not header(scope, b"authorization"):
            if self._has_key(request) or (is_read and scope["path"].startswith(STATIC)):
                bearer = (b"authorization", f"Bearer {self._token}".encode())
                scope = {**scope, "headers": [*scope["headers"], bearer]}
            elif is_opened:
                await page("sign_in.html", 401, problem="")(scope, receive, send)
                return
        await self._guarded(scope, receive, send)

    def _welcome(self, request: Request, shown: str) -> Response:
        """Exchange the token for the cookie, and go on at the same address without the token."""
        if self._token and not is_token(shown.strip(), self._token):
            return page("sign_in.html", 401, problem=_WRONG)
        rest = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
        answer = RedirectResponse(f"/?{urlencode(rest)}" if rest else "/", 303, {**HEADERS, **_GONE})
        if self._token:
            name = cookie_name(request)
            answer.set_cookie(name, self._key, _KEPT_SECONDS, httponly=True, samesite="strict", path="/")
        return answer

    def _has_key(self, request: Request) -> bool:
        name = cookie_name(request)
        return any(is_token(value, self._key) for value in _cookies(headers(request.scope, b"cookie"), name))


def is_of_page(path: str) -> bool:
    """Return True for the addresses of the page."""
    return path == "/" or path.startswith("/ui/")


def is_foreign(request: Request) -> bool:
    """Return True if a page of another address asks: of another port of this machine, since others are refused before.

    Such a page may lead here by a link, but not read anything or send a form.
    """
    origin = request.headers.get("origin", "")
    if origin and origin.partition("://")[2].lower() != request.headers.get("host", "").lower():
        return True
    site = request.headers.get("sec-fetch-site", "none")
    is_opened = request.method == "GET" and request.headers.get("sec-fetch-dest") == "document"
    return site not in ("none", "same-origin") and not is_opened


def cookie_name(request: Request) -> str:
    """Return the name of the cookie of a server; another at this machine has another port."""
    return f"searchkit-{(request.scope.get('server') or ('', 0))[1]}"


def _cookies(sent: Iterable[str], name: str) -> Iterator[str]:
    for line in sent:
        for part in line.split(";"):  # one by one: a malformed neighbour would make the whole line unreadable
            given, _, value = part.strip().partition("=")
            if given == name:
                yield value
