"""Determines the format of a file from its name and first bytes: which suffixes are read, as what, and which are code."""

from importlib.util import find_spec
from pathlib import PurePath

UNSUPPORTED = ""

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
_CODE = frozenset("code python javascript typescript tsx java c cpp header go rust ruby php csharp shell".split())
_FORMATS = {f".{suffix}": name for name, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}
SUFFIXES_READ = frozenset(_FORMATS)
WITH_GRAMMAR = _CODE - {"code"}  # cut at definitions by the grammars of the extra [code], else at blank lines
CODE_SUFFIXES = frozenset(suffix for suffix, name in _FORMATS.items() if name in _CODE)
_NAMES = {"makefile": "code", "dockerfile": "code", "rakefile": "ruby", "gemfile": "ruby", "cmakelists.txt": "code"}
_BINARY = frozenset(
    ".png .jpg .jpeg .gif .webp .bmp .ico .tif .tiff .heic .psd .mp3 .wav .flac .ogg .m4a .mp4 .mkv .mov .avi .webm .zip .gz .bz2"
    " .xz .7z .rar .tar .tgz .zst .jar .whl .exe .dll .so .dylib .o .a .obj .pyc .class .wasm .iso .dmg .deb .rpm .ttf .otf .woff"
    " .woff2 .db .sqlite .sqlite3 .bin .dat .npy .npz .safetensors .gguf .onnx .pkl .parquet .doc .ppt .xls .mobi".split()
)


def has_grammars() -> bool:
    """True if the grammars of source code are installed."""
    return find_spec("tree_sitter") is not None


def format_by_name(path: PurePath) -> str | None:
    """The format by a file's name, UNSUPPORTED for kinds without text, None if its beginning decides."""
    name, suffix = path.name.lower(), path.suffix.lower()
    return _NAMES.get(name) or _FORMATS.get(suffix) or (UNSUPPORTED if suffix in _BINARY else None)


def format_of(path: PurePath, beginning: bytes) -> str:
    """The format's name, UNSUPPORTED for files without text or without a reader yet.

    Names decide; a file with an unknown or no suffix counts as text if it begins like text.
    """
    known = format_by_name(path)
    if known is not None:
        return known
    if not beginning or not _looks_like_text(beginning):
        return UNSUPPORTED
    return "code" if beginning.startswith(b"#!") else "text"


def _looks_like_text(beginning: bytes) -> bool:
    if b"\0" in beginning:
        return False
    try:
        beginning.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(beginning) - 4 > 0  # a character cut in two at the end
    return True
