#!/usr/bin/env bash
# Backs a database up and keeps the last copies.
set -euo pipefail

source "$(dirname "$0")/common.sh"

keep=7
database=""

usage() {
    cat <<TEXT
usage: $(basename "$0") [--keep N] DATABASE
TEXT
}

while [[ $# -gt 0 ]]; do
    case "$1" in
        --keep)
            keep="$2"
            shift 2
            ;;
        --help)
            usage
            exit 0
            ;;
        *)
            database="$1"
            shift
            ;;
    esac
done

[[ -n "$database" ]] || die "no database was named"
require_command pg_dump
require_command gzip

mkdir -p "$backup_folder"
target="$backup_folder/$database-$(date +%Y-%m-%d).sql.gz"

log "backing up $database to $target"
if ! pg_dump "$database" | gzip >"$target.part"; then
    rm -f "$target.part"
    die "pg_dump failed"
fi
mv "$target.part" "$target"

mapfile -t old < <(ls -1t "$backup_folder/$database"-*.sql.gz | tail -n "+$((keep + 1))")
for file in "${old[@]}"; do
    log "removing $file"
    rm -f "$file"
done

log "done"
