"""The names of formats: which suffixes promise what, and which are code. The content decides (ingest.extract.detect)."""

from importlib.util import find_spec
from pathlib import PurePath

UNSUPPORTED = ""
PICTURE = "picture"  # read by OCR; without it, or without text in it, it is found by its name
PRIVATE_KEY = "private key"  # the format of what is left out for being one

_SUFFIXES = {
    "markdown": "md markdown mdown mkd mdx qmd rmd",
    "text": "txt text log adoc asciidoc tex po nfo me 1st",
    "rst": "rst rest",
    "org": "org",
    "subtitles": "srt vtt",
    "notebook": "ipynb",
    "table": "csv tsv",
    "docx": "docx docm dotx dotm",
    "pptx": "pptx pptm ppsx ppsm potx potm",
    "xlsx": "xlsx xlsm xltx xltm",
    "odf": "odt ods odp odg ott ots otp otg odm fodt fods fodp fodg",
    "epub": "epub",
    "rtf": "rtf",
    "mailbox": "mbox mbx",
    "data": "json jsonl ndjson yaml yml toml ini cfg conf properties env xml svg rss atom rdf fb2 kml gpx opml xsd xsl xslt"
    " plist xliff xlf tmx",
    "html": "html htm xhtml xht shtml",
    "pdf": "pdf",
    "calendar": "ics ifb vcs",
    "contacts": "vcf vcard",
    "doc": "doc dot",
    "ppt": "ppt pps pot",
    "xls": "xls xlt xlsb",
    "msg": "msg tnef",
    "archive": "zip tar tgz tbz2 txz gz bz2 xz kmz 7z rar pages numbers",
    "mail": "eml emlx",
    PICTURE: "png jpg jpeg jpe jfif tif tiff webp heic heif avif bmp gif",
    "mhtml": "mhtml mht webarchive",
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
    " tf nix dockerfile patch diff",
}
_UNPACK_RAR = ("unrar", "unar", "7z", "7zz", "bsdtar")
CODE = frozenset("code python javascript typescript tsx java c cpp header go rust ruby php csharp shell".split())
_FORMATS = {f".{suffix}": name for name, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}
OLD_OFFICE = frozenset(("doc", "ppt", "xls", "msg"))  # read with the extra [office-legacy]
CONTAINERS = frozenset(
    ("mail", "mailbox", "msg", "archive", "docx", "pptx", "xlsx", "odf", "epub", "pdf")
)  # in which files can be
SUFFIXES_READ = frozenset(_FORMATS)
WITH_GRAMMAR = CODE - {"code"}  # cut at definitions by the grammars of the extra [code], else at blank lines
CODE_SUFFIXES = frozenset(suffix for suffix, name in _FORMATS.items() if name in CODE)
_NAMES = {
    "winmail.dat": "msg", "makefile": "code", "dockerfile": "code", "rakefile": "ruby", "gemfile": "ruby",
    "cmakelists.txt": "code",
}  # fmt: skip
_INDEX_NAMES = (
    "dovecot.",
    "dovecot-",
    "courierimap",
    "maildirsize",
    "msgfilterrules.dat",
)  # what mail programs keep beside mail
_BINARY = frozenset(
    ".ico .psd .cr2 .cr3 .nef .arw .dng .orf .rw2 .raf .mp3 .wav .flac .ogg .m4a .mp4 .mkv .mov .avi .webm"
    " .zst .jar .whl .exe .dll .so .dylib .o .a .obj .pyc .class .wasm .iso .dmg .deb .rpm .ttf .otf .woff"
    " .woff2 .db .sqlite .sqlite3 .bin .dat .npy .npz .safetensors .gguf .onnx .pkl .parquet .mobi .msf".split()
)


def has_grammars() -> bool:
    """True if the grammars of source code are installed."""
    return find_spec("tree_sitter") is not None


def reads_old_office() -> bool:
    """True if the extra [office-legacy] is installed."""
    return all(find_spec(name) is not None for name in ("olefile", "python_calamine"))


def other_archives() -> str:
    """The kinds of archives that what is installed besides can unpack, "" for none."""
    from shutil import which

    kinds = {"7z": find_spec("py7zr"), "rar": find_spec("rarfile") and any(map(which, _UNPACK_RAR))}
    return "+".join(kind for kind, found in kinds.items() if found)


def format_by_name(path: PurePath) -> str | None:
    """The format that a name promises, UNSUPPORTED for kinds without text, which are not opened; None if it promises none."""
    name, suffix = path.name.lower(), path.suffix.lower()
    if (suffix in _BINARY and name not in _NAMES) or name.startswith(_INDEX_NAMES):
        return UNSUPPORTED
    return _NAMES.get(name) or _FORMATS.get(suffix)
