#!/usr/bin/env bash
# What the scripts of this folder share.

log() {
    printf '%s %s\n' "$(date +%H:%M:%S)" "$*" >&2
}

die() {
    log "error: $*"
    exit 1
}

require_command() {
    command -v "$1" >/dev/null 2>&1 || die "$1 is not installed"
}

backup_folder="${BACKUP_FOLDER:-$HOME/backups}"
