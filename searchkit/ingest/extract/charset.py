"""Decodes bytes: as UTF-8 if they are, else by byte order marks, declarations or statistics.

Knows nothing of formats except how web pages, XML and source code declare their encoding.
"""

import codecs
import re

from searchkit.errors import UnreadableFileError

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARATIONS = (
    re.compile(rb"\A\s*<\?xml[^>]*?\bencoding\s*=\s*[\"']([\w.:-]+)"),
    re.compile(rb"<meta[^>]{0,200}?\bcharset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE),
    re.compile(rb"\A(?:[^\n]*\n)?[ \t\f]*(?:#|//|/\*|;|%|<!--|\.\.)[^\n]*?\bcoding[:=][ \t]*([\w.-]+)"),
)
_DECLARED_WITHIN = 4096  # bytes from the beginning
# Wider encodings to try where the bytes do not fit the named one: what Windows means by the name.
_WIDER = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "iso8859-8": "cp1255",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "iso2022_jp": "iso2022_jp_ext",
}
_C1 = re.compile(rb"[\x80-\x9f]")  # control characters in ISO 8859, letters and quotes elsewhere
_ISO_8859 = "iso8859"
_SAMPLE_BYTES = 1 << 16
_WORD_BYTES = 60  # that a word can contain before its first letter beyond ASCII
_WINDOWS = 9  # positions of a long file from which the sample is taken
_BEYOND_ASCII = bytes(range(0x80, 0x100))
_LEAVES_ASCII = re.compile(rb"(?<![\x80-\xff])[\x80-\xff]")
_LONG_RUN = re.compile(rb"[\x80-\xff]{3}")
_SHORT = 1000  # bytes in which statistics can confuse the few letters that differ in these two
_CENTRAL_EUROPEAN = ("Windows-1250", "ISO-8859-2")
_FEW = 3  # bytes beyond ASCII: too few for statistics, which then guess any script
_FEW_ENCODINGS = ("cp1252", "mac_roman", "cp850")
_BETWEEN_LETTERS = "’'–—…·-­ªº°µ"
_ESCAPES = ((b"\x1b$)C", "iso2022_kr"), (b"\x1b$", "iso2022_jp_ext"), (b"\x1b(", "iso2022_jp_ext"))
_ZEROS_WITHIN = 1 << 14
_CONTROLS = re.compile("[\0-\x06\x0e-\x1a\ufffe\uffff]")
_STRAY_SHARE = 10  # with at most one damaged byte in this many characters beyond ASCII, a text is still UTF-8


def decode(content: bytes, *, kind: str = "text file") -> str:
    """Decode bytes; line ends stay as they are, a byte order mark is removed.

    Raises UnreadableFileError for binary content, a text cut in a character, and bytes that no encoding explains.
    """
    mark = next((name for mark, name in _BOMS if content.startswith(mark)), "")
    if b"\0" in content and not mark.startswith(("utf-16", "utf-32")):
        return _without_mark(content, kind)
    if mark:
        return _marked(content, mark)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return _nearly(content, "utf-8") or _declared(content) or _detected(content)
    return (_escaped(content) or text) if "\x1b" in text else text


def _marked(content: bytes, encoding: str) -> str:
    """Decode by a byte order mark; stray bytes are replaced in UTF-8, where the text continues after them."""
    try:
        return content.decode(encoding, "replace" if encoding == "utf-8-sig" else "strict")
    except UnicodeDecodeError as error:
        mark_bytes = len(content) - len(error.object)  # the codec may have removed the mark, and counts from there
        place = f"byte 0x{error.object[error.start]:02x} at offset {error.start + mark_bytes}"
        raise UnreadableFileError(
            f"damaged {encoding.upper()} text ({place})", remedy="Save it again as UTF-8."
        ) from error


def _without_mark(content: bytes, kind: str) -> str:
    """Detect UTF-16 and UTF-32 by the positions of their zero bytes; other content with zeros is not text."""
    start = content[:_ZEROS_WITHIN]
    zeros = [start[offset::4].count(0) for offset in range(4)]
    is_wide = max(zeros[0], zeros[3]) >= len(start) // 4
    low_first = zeros[1] + zeros[3] > zeros[0] + zeros[2]
    for encoding in (("utf-32-le", "utf-32-be") if is_wide else ()) + ("utf-16-le" if low_first else "utf-16-be",):
        text = _strictly(content, encoding)
        if text is not None and not _CONTROLS.search(text) and _has_blanks(text):
            return text
    raise UnreadableFileError(f"binary content in a {kind}", remedy="If it is text, save it as UTF-8.")


def _has_blanks(text: str) -> bool:
    """True if it has spaces like writing; pairs of random bytes seldom do, and make characters that do not exist."""
    start = text[:_ZEROS_WITHIN]
    strange = sum(not (character.isprintable() or character.isspace()) for character in start)
    return strange <= len(start) // 50 and (any(map(str.isspace, start)) or max(start, default="") < "\u0100")


def _nearly(content: bytes, encoding: str) -> str:
    """Decode with damaged bytes replaced; "" if there are so many that it looks like another encoding."""
    text = content.decode(encoding, "replace")
    damaged = text.count("\ufffd")
    whole = len(text) - len(text.encode("ascii", "ignore")) - damaged
    return text if whole and damaged <= 1 + whole // _STRAY_SHARE else ""


def _declared(content: bytes) -> str:
    """Decode as the file itself declares, "" if it declares nothing or nothing that fits."""
    start = content[:_DECLARED_WITHIN]
    for pattern in _DECLARATIONS:
        if (found := pattern.search(start)) and (text := decode_as(content, found.group(1).decode())):
            return text
    return ""


def decode_as(content: bytes, name: str) -> str:
    """Decode by the encoding of this name or the wider one that is meant by it; "" if neither fits."""
    try:
        known = codecs.lookup(name.lower()).name
    except LookupError:
        return ""
    names = [known, _WIDER[known]] if known in _WIDER else [known]
    if known.startswith(_ISO_8859) and _C1.search(content):
        names.reverse()
    return next((text for name in names if (text := _strictly(content, name))), "")


def _strictly(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except (UnicodeDecodeError, LookupError):  # an unknown name, or a codec that does not make text
        return None


def _escaped(content: bytes) -> str:
    """Decode mail encodings of Japan and Korea: ASCII that switches to other characters and back."""
    found = next((name for escape, name in _ESCAPES if escape in content), None)
    return (_strictly(content, found) or "") if found else ""


def _detected(content: bytes) -> str:
    """Decode by statistics over a sample: by the likeliest encoding that can read all of the bytes."""
    sample = _sample(content)
    if (few := _few(content, sample)) is not None:
        return few
    from chardet import EncodingEra, detect_all

    found = detect_all(sample, encoding_era=EncodingEra.ALL & ~EncodingEra.MAINFRAME, ignore_threshold=True)
    names = [guess["encoding"] for guess in found if guess["encoding"]]
    if not names:
        raise UnreadableFileError("not text: its bytes fit no known encoding", remedy="Save it as UTF-8.")
    if len(sample) < _SHORT and names[0] in _CENTRAL_EUROPEAN:
        likely = sorted(
            _CENTRAL_EUROPEAN, key=lambda name: (not _is_plausible(decode_as(sample, name)), name != names[0])
        )
        names[:0] = likely[:1]
    if text := decode_as(content, names[0]) or _nearly(content, names[0]):
        return text
    return next((text for name in names[1:] if (text := decode_as(content, name))), content.decode(names[0], "replace"))


def _few(content: bytes, sample: bytes) -> str | None:
    """Decode a text with a handful of bytes beyond ASCII as Western systems wrote it; None if there are more."""
    if len(sample) - len(sample.translate(None, _BEYOND_ASCII)) > _FEW or _LONG_RUN.search(sample):
        return None
    for encoding in _FEW_ENCODINGS:
        if (text := _strictly(sample, encoding)) is not None and _is_plausible(text):
            return _strictly(content, encoding)
    return None


def _is_plausible(text: str) -> bool:
    """True if no word contains a capital after its first letter, or a character that separates words."""
    for found in re.finditer(r"[^\x00-\x7f]", text):
        character, before, after = (
            found.group(),
            text[max(0, found.start() - 1) : found.start()],
            text[found.end() :][:1],
        )
        if not character.isprintable() and not character.isspace() and character != "\u00ad":
            return False
        if character.isupper() and before.islower():
            return False
        if before.isalpha() and after.isalpha() and not (character.isalpha() or character in _BETWEEN_LETTERS):
            return False
    return True


def _sample(content: bytes) -> bytes:
    """Samples from all over a long content, each beginning where the text leaves ASCII, and ending in ASCII."""
    if len(content) <= _SAMPLE_BYTES:
        return content
    each = _SAMPLE_BYTES // _WINDOWS
    stretches = []
    end = 0
    for start in range(0, len(content), len(content) // _WINDOWS + 1):
        found = _LEAVES_ASCII.search(content, max(start, end))
        if not found:
            break
        end = found.start() + each
        word = content.rfind(b" ", max(0, found.start() - _WORD_BYTES), found.start()) + 1 or found.start()
        stretch = content[word:end]
        stretches.append(stretch[: max(stretch.rfind(b"\n"), stretch.rfind(b" ")) + 1] or stretch)
    return b"\n".join(stretches)
