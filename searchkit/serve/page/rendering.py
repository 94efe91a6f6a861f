"""Pages from templates: everything that is put into one is escaped, and the browser is told to fetch nothing from elsewhere."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from searchkit import __version__
from searchkit.display import plural

STATIC = "/ui/static/"
_TYPES = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",  # without any, a form's origin would be null, as that of a page that hides it
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file that the pages load. `address`: changes with its content, so that browsers may keep it for good."""

    content: bytes
    media_type: str
    address: str


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Return the style, the script and the icon, by name."""
    folder = resources.files("searchkit.serve.page") / "static"
    files = {}
    for name, media_type in _TYPES.items():
        content = (folder / name).read_bytes()
        version = hashlib.blake2b(content, digest_size=6).hexdigest()
        files[name] = StaticFile(content, media_type, f"{STATIC}{name}?v={version}")
    return files


def static_response(name: str) -> Response:
    """Return a file that the pages load, 404 for any other name."""
    file = static_files().get(name)
    if file is None:
        return Response(status_code=404, headers=HEADERS)
    kept = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(file.content, headers={**HEADERS, **kept}, media_type=file.media_type)


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page, which no cache keeps: it shows the user's documents."""
    return HTMLResponse(render(template, **values), status, {**HEADERS, "cache-control": "no-store"})


def render(template: str, **values: Any) -> str:
    """Fill a template in. A name that it uses must be given."""
    return _templates().get_template(template).render({"here": "", **values})


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("searchkit.serve.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals |= {"static": static_files(), "version": __version__}
    templates.filters["plural"] = plural
    return templates
