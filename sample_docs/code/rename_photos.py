#!/usr/bin/env python3
"""Give the pictures from two phones and the studio camera sensible names.

    IMG_4411.JPG  ->  2025-06-14_0740_IMG_4411.jpg

The date comes from the EXIF block when there is one (tag DateTimeOriginal),
otherwise from the file's modification time. Kenji's phone is set to Japanese
time far too often, hence --shift-hours.

usage: rename_photos.py FOLDER [--shift-hours N] [--do-it]
Without --do-it nothing is changed, the plan is only printed.
"""
import argparse
import re
import sys
from datetime import datetime, timedelta
from pathlib import Path

SUFFIXES = {".jpg", ".jpeg", ".heic", ".tif", ".tiff"}
ALREADY = re.compile(r"^\d{4}-\d\d-\d\d_\d{4}_")
# EXIF stores dates as text, "2025:06:14 07:40:12", so a search in the first
# 64 KB is enough and no picture library is needed.
EXIF_DATE = re.compile(rb"(20\d\d):([01]\d):([0-3]\d) ([0-2]\d):([0-5]\d):([0-5]\d)")


def taken_at(path):
    head = path.open("rb").read(65536)
    found = EXIF_DATE.search(head)
    if found:
        try:
            return datetime(*(int(part) for part in found.groups()))
        except ValueError:
            pass  # 2025:00:00 from the old camera
    return datetime.fromtimestamp(path.stat().st_mtime)


def new_name(path, shift):
    when = taken_at(path) + shift
    return f"{when:%Y-%m-%d_%H%M}_{path.stem}{path.suffix.lower()}"


def avoid_collision(target, taken):
    candidate, n = target, 2
    while candidate in taken or candidate.exists():
        candidate = target.with_name(f"{target.stem}-{n}{target.suffix}")
        n += 1
    taken.add(candidate)
    return candidate


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("folder", type=Path)
    ap.add_argument("--shift-hours", type=float, default=0)
    ap.add_argument("--do-it", action="store_true")
    args = ap.parse_args()

    if not args.folder.is_dir():
        sys.exit(f"no such folder: {args.folder}")
    shift = timedelta(hours=args.shift_hours)
    taken, count = set(), 0
    for path in sorted(args.folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or ALREADY.match(path.name):
            continue
        target = avoid_collision(path.with_name(new_name(path, shift)), taken)
        print(f"{path.name:30} -> {target.name}")
        if args.do_it:
            path.rename(target)
        count += 1
    print(f"{count} file(s)" + ("" if args.do_it else ", nothing changed yet"))


if __name__ == "__main__":
    main()
