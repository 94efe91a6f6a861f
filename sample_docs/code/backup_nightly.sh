#!/usr/bin/env bash
# Nightly copy of the studio laptop to the disk in the cellar.
# cron on the laptop: 40 2 * * *  /home/clara/bin/backup_nightly.sh
#
# Keeps 14 dailies as hard-linked snapshots, so an unchanged file costs nothing.
# 2025-01-19: added the mount check after it had filled the root partition.
set -euo pipefail

SRC="${BACKUP_SRC:-$HOME/studio}"
DISK="${BACKUP_DISK:-/mnt/cellar}"
DEST="$DISK/snapshots"
KEEP=14
TODAY=$(date +%F)

log() { printf '%s %s\n' "$(date +%T)" "$*"; }

if ! mountpoint -q "$DISK"; then
    log "cellar disk is not mounted, giving up" >&2
    exit 75
fi

free_kb=$(df --output=avail "$DISK" | tail -n 1)
if (( free_kb < 20 * 1024 * 1024 )); then
    log "less than 20 GB left, only ${free_kb} KB" >&2
    exit 28
fi

mkdir -p "$DEST"
latest=$(find "$DEST" -mindepth 1 -maxdepth 1 -type d -name '20*' | sort | tail -n 1)
link=()
[[ -n "$latest" && "$latest" != "$DEST/$TODAY" ]] && link=(--link-dest="$latest")

log "start, source $SRC"
rsync -a --delete --exclude '.cache/' --exclude '*.tmp' --exclude 'scans/raw/' \
    "${link[@]}" "$SRC/" "$DEST/$TODAY.part/"
rm -rf "${DEST:?}/$TODAY"
mv "$DEST/$TODAY.part" "$DEST/$TODAY"

# throw the oldest away
find "$DEST" -mindepth 1 -maxdepth 1 -type d -name '20*' | sort | head -n "-$KEEP" |
while read -r old; do
    log "removing $(basename "$old")"
    rm -rf "$old"
done
log "done, $(du -sh "$DEST/$TODAY" | cut -f1)"
