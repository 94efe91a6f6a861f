"""Routes that answer a browser: refusals are pages too, and pages of other addresses are refused."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from searchkit.display import printable
from searchkit.errors import SearchkitError
from searchkit.serve.http.error_responses import ErrorResponse, error_response
from searchkit.serve.page.door import is_foreign
from searchkit.serve.page.rendering import page

_FOREIGN = ErrorResponse(
    403, "foreign_page", "A page of another address may lead here, but not ask in your name. Open this page by itself."
)


class PageRoute(APIRoute):
    """A route of the page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the route's handler, with what it raises as a page."""
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            if is_foreign(request):
                return refusal(request, _FOREIGN)
            try:
                return await handle(request)
            except SearchkitError as error:
                return refusal(request, error_response(error))
            except RequestValidationError as error:
                first = error.errors()[0]
                where = str(first["loc"][-1])
                return refusal(request, ErrorResponse(400, "invalid_request", f"{where}: {first['msg']}"))

        return shown


def refusal(request: Request, error: ErrorResponse) -> Response:
    """Return a page that says what is wrong; only its text where a script puts it into another page."""
    template = "refusal_part.html" if is_part(request) else "refusal.html"
    answer = page(template, error.status, message=printable(error.message))
    answer.headers.update(error.headers)
    return answer


def is_part(request: Request) -> bool:
    """Return True for a script that asks for a part of a page."""
    return request.headers.get("x-part") == "1"
