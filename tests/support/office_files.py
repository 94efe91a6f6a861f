"""Office documents for tests, made of literal XML."""

import io
import zipfile
from collections.abc import Mapping

_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def zipped(parts: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as container:
        for name, content in parts.items():
            container.writestr(name, content)
    return target.getvalue()


def relations(targets: Mapping[str, tuple[str, str]]) -> str:
    """A .rels part: (kind, target) by relation id."""
    entries = "".join(
        f'<Relationship Id="{identifier}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for identifier, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{entries}</Relationships>'


def ooxml(main: str, content_type: str, parts: Mapping[str, str | bytes], properties: str = "") -> bytes:
    """A package whose main part is `main`; `properties` are elements of dc: and dcterms:."""
    targets = {"r1": ("officeDocument", main)}
    core = {}
    if properties:
        targets["r2"] = ("metadata/core-properties", "docProps/core.xml")
        core["docProps/core.xml"] = (
            f'<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/"'
            f' xmlns:dcterms="http://purl.org/dc/terms/">{properties}</cp:coreProperties>'
        )
    types = (
        f'<Types xmlns="{_PACKAGE}/content-types"><Override PartName="/{main}"'
        f' ContentType="application/vnd.openxmlformats-officedocument.{content_type}.main+xml"/></Types>'
    )
    return zipped({"[Content_Types].xml": types, "_rels/.rels": relations(targets), **core, **parts})
