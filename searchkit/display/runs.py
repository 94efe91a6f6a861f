"""What an index run has changed, and what rules leave out, in words."""

from collections import Counter
from collections.abc import Mapping, Sequence

from searchkit.display import on_one_line, plural
from searchkit.reports import IndexReport, LeftOutCount, LeftOutRule


def index_summary(report: IndexReport) -> str:
    """`3 added, 1 deleted; 40 passages, 5 embedded (3.1/s), 1.2 s`: what an index run has changed, and nothing else."""
    seconds = f"{report.elapsed_seconds:.1f} s"
    speed = f" ({report.embedded / report.embed_seconds:.1f}/s)" if report.embedded and report.embed_seconds else ""
    changes = file_changes(report)
    if not changes and report.converted:
        also = f"{plural(report.embedded, 'passage')} embedded{speed}, " if report.embedded else ""
        return f"{plural(report.converted, 'vector')} converted, {also}{seconds}"
    if not changes and report.embedded:
        return f"{plural(report.embedded, 'passage')} embedded{speed}, {seconds}"
    if not changes:
        return (
            f"nothing has changed in {plural(report.unchanged, 'file')}, {seconds}" if report.unchanged else "no files"
        )
    not_read = ((report.files_skipped, "skipped"), (report.files_unsupported, "of other kinds"))
    parts = [f"in all {plural(count, 'file')} {what}; " for count, what in not_read if count]
    embedded = f", {report.embedded:,} embedded{speed}" if report.embedded else ""
    found = embedded if report.model else ", found by their words"
    return f"{changes}; {''.join(parts)}{plural(report.passages, 'passage')}{found}, {seconds}"


def file_changes(report: IndexReport) -> str:
    """`3 added, 1 deleted`: an index run's changes of files; "" if there are none."""
    counts = (
        (report.added, "added"),
        (report.changed, "changed"),
        (report.moved, "moved"),
        (report.deleted, "deleted"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in counts if count)


_LEFT_OUT: Mapping[LeftOutRule, str] = {
    LeftOutRule.HIDDEN: "hidden",
    LeftOutRule.LEFTOVER: "caches and leftovers",
    LeftOutRule.SECRET: "private keys and password stores",
    LeftOutRule.OFFLINE: "only in the cloud",
    LeftOutRule.DELETED_MAIL: "deleted mail",
    LeftOutRule.FORGOTTEN: "forgotten",
}


def left_out_rule(rule: LeftOutRule, source: str, pattern: str) -> str:
    """Word a rule: `by .gitignore: *.pdf`, or `hidden`."""
    if rule is LeftOutRule.INSIDE:
        return f"inside files that are read: {on_one_line(pattern)}"
    if rule is LeftOutRule.OCR:
        return f"scans and pictures that need OCR; to have them read, {source or 'index again'}"
    return f"by {source}: {on_one_line(pattern)}" if rule is LeftOutRule.IGNORED else _LEFT_OUT.get(rule, str(rule))


def left_out_text(counts: Sequence[LeftOutCount], *, most: int = 4) -> str:
    """`2 files by .gitignore: *.pdf; 1 folder hidden`: what rules leave out, the most frequent first; "" if nothing is."""
    files: Counter[str] = Counter()
    folders: Counter[str] = Counter()
    for each in counts:  # patterns of ours are one rule, those of ignore files one each
        words = left_out_rule(each.rule, each.source, each.pattern)
        files[words] += each.files
        folders[words] += each.folders
    said = []
    ordered = [words for words, _ in (files + folders).most_common()]
    for words in ordered[:most]:
        amounts = [plural(files[words], "file")] if files[words] else []
        amounts += [plural(folders[words], "folder")] if folders[words] else []
        said.append(f"{' and '.join(amounts)} {words}")
    rest = sum(files[words] + folders[words] for words in ordered[most:])
    return "; ".join([*said, f"{rest:,} by other rules"] if rest else said)


def ocr_text(count: int) -> str:
    """`3 scanned pages or pictures`: what only OCR would read."""
    return f"{count:,} scanned {'page or picture' if count == 1 else 'pages or pictures'}"
