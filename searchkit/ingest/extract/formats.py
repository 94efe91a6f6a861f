"""Which files are read, and how: the format of a file from its name and first bytes, and the reader for it."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import PurePath

from searchkit.errors import UnreadableFileError
from searchkit.types import Block, ExtractedDocument

VERSION = 3  # raise it when a reader gives other text than before: files are then read anew
UNSUPPORTED = ""
LARGER = "Raise max_file_megabytes in config.toml."  # the remedy for what is too large

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_MODULE = "searchkit.ingest.extract."
_READERS = {
    "markdown": ("markdown", "extract_markdown"),
    "text": ("text", "extract_text"),
    "rst": ("rst", "extract_rst"),
    "org": ("org", "extract_org"),
    "data": ("data", "extract_data"),
    "table": ("table", "extract_table"),
    "subtitles": ("subtitles", "extract_subtitles"),
    "notebook": ("notebook", "extract_notebook"),
    "html": ("html", "extract_html"),
    "pdf": ("pdf", "extract_pdf"),
    "docx": ("docx", "extract_docx"),
    "pptx": ("pptx", "extract_pptx"),
    "xlsx": ("xlsx", "extract_xlsx"),
    "odf": ("odf", "extract_odf"),
    "epub": ("epub", "extract_epub"),
    "rtf": ("rtf", "extract_rtf"),
    "mail": ("mail", "extract_mail"),
    "mailbox": ("mail", "extract_mailbox"),
    "code": ("code", "extract_code"),
    "python": ("code", "extract_python"),
    "javascript": ("code", "extract_javascript"),
    "typescript": ("code", "extract_typescript"),
    "tsx": ("code", "extract_tsx"),
    "java": ("code", "extract_java"),
    "c": ("code", "extract_c"),
    "cpp": ("code", "extract_cpp"),
    "header": ("code", "extract_header"),
    "go": ("code", "extract_go"),
    "rust": ("code", "extract_rust"),
    "ruby": ("code", "extract_ruby"),
    "php": ("code", "extract_php"),
    "csharp": ("code", "extract_csharp"),
    "shell": ("code", "extract_shell"),
}
_SUFFIXES = {
    "markdown": "md markdown mdown mkd mdx qmd rmd",
    "text": "txt text log adoc asciidoc tex po nfo me 1st",
    "rst": "rst rest",
    "org": "org",
    "subtitles": "srt vtt",
    "notebook": "ipynb",
    "table": "csv tsv",
    "docx": "docx docm dotx",
    "pptx": "pptx pptm ppsx",
    "xlsx": "xlsx xlsm xltx",
    "odf": "odt ods odp ott fodt fods fodp",
    "epub": "epub",
    "rtf": "rtf",
    "mailbox": "mbox",
    "data": "json jsonl ndjson yaml yml toml ini cfg conf properties env xml",
    "html": "html htm xhtml",
    "pdf": "pdf",
    "mail": "eml",
    "python": "py pyi",
    "javascript": "js mjs cjs jsx",
    "typescript": "ts",
    "tsx": "tsx",
    "java": "java",
    "c": "c",
    "cpp": "cc cpp cxx hh hpp hxx",
    "header": "h",
    "go": "go",
    "rust": "rs",
    "ruby": "rb",
    "php": "php",
    "csharp": "cs",
    "shell": "sh bash",
    "code": "pyx kt kts scala m mm fs swift pl pm lua r jl zsh fish ps1 bat sql graphql proto css scss less"
    " vue svelte dart ex exs erl hs ml mli clj cljs lisp el scm vim asm s f90 f95 pas d nim zig tcl groovy gradle cmake mk"
    " tf nix dockerfile",
}
_FORMATS = {f".{suffix}": name for name, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}
SUFFIXES_READ = frozenset(_FORMATS)
CODE_SUFFIXES = frozenset(suffix for suffix, name in _FORMATS.items() if _READERS[name][0] == "code")
_NAMES = {"makefile": "code", "dockerfile": "code", "rakefile": "ruby", "gemfile": "ruby", "cmakelists.txt": "code"}
_BINARY = frozenset(
    ".png .jpg .jpeg .gif .webp .bmp .ico .tif .tiff .heic .psd .mp3 .wav .flac .ogg .m4a .mp4 .mkv .mov .avi .webm .zip .gz .bz2"
    " .xz .7z .rar .tar .tgz .zst .jar .whl .exe .dll .so .dylib .o .a .obj .pyc .class .wasm .iso .dmg .deb .rpm .ttf .otf .woff"
    " .woff2 .db .sqlite .sqlite3 .bin .dat .npy .npz .safetensors .gguf .onnx .pkl .parquet .doc .ppt .xls .mobi".split()
)


def format_by_name(path: PurePath) -> str | None:
    """The format that a file's name says, UNSUPPORTED for kinds without text, None if only its beginning can tell."""
    name, suffix = path.name.lower(), path.suffix.lower()
    return _NAMES.get(name) or _FORMATS.get(suffix) or (UNSUPPORTED if suffix in _BINARY else None)


def format_of(path: PurePath, beginning: bytes) -> str:
    """The format's name, UNSUPPORTED for files that hold no text or none that is read yet.

    Names decide; a file with an unknown or no suffix counts as text if it begins like text.
    """
    known = format_by_name(path)
    if known is not None:
        return known
    if not beginning or not _looks_like_text(beginning):
        return UNSUPPORTED
    return "code" if beginning.startswith(b"#!") else "text"


def too_large(size_bytes: int, limit_bytes: int) -> str:
    """The reason why a file is not read."""
    return f"{size_bytes / 1e6:,.0f} MB, more than the limit of {limit_bytes / 1e6:,.0f} MB"


def extract(format_name: str, content: bytes) -> ExtractedDocument:
    """Read a file's content. Raises UnreadableFileError, with the reason, whatever goes wrong inside a reader.

    The blocks may be made only when they are asked for, and then raise it as well.
    """
    module, function = _READERS[format_name]
    with _one_kind_of_error(format_name):
        reader: Callable[[bytes], ExtractedDocument] = getattr(import_module(_MODULE + module), function)
        document = reader(content)
    metadata = {_plain(name).strip(): _plain(value).strip() for name, value in document.metadata.items()}
    return replace(
        document,
        title=_plain(document.title).strip(),
        blocks=_storable(format_name, document.blocks),
        metadata={name: value for name, value in metadata.items() if value},
    )


@contextmanager
def _one_kind_of_error(format_name: str) -> Iterator[None]:
    try:
        yield
    except UnreadableFileError:
        raise
    except RecursionError as error:
        raise UnreadableFileError("nested too deeply to be read") from error
    except MemoryError as error:
        raise UnreadableFileError("reading it takes more memory than one file may have") from error
    except Exception as error:
        # Readers meet hostile and damaged files and fail in every way there is; it costs that one file.
        raise UnreadableFileError(f"its {format_name} reader failed ({type(error).__name__}: {error})") from error


def _storable(format_name: str, blocks: Iterable[Block]) -> Iterator[Block]:
    """Without the characters that SQLite refuses or ends a text at; damaged files hold them."""
    with _one_kind_of_error(format_name):
        for block in blocks:
            text = _plain(block.text)
            if text.strip():
                headings = tuple(_plain(name) for name in block.headings)
                yield replace(block, text=text, headings=headings, place=_plain(block.place))


def _plain(text: str) -> str:
    return _UNSTORABLE.sub(" ", text)


def _looks_like_text(beginning: bytes) -> bool:
    if b"\0" in beginning:
        return False
    try:
        beginning.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(beginning) - 4 > 0  # a character cut in two at the end
    return True
