#!/bin/sh
# Fetches Neovim 0.12 and Helix for the tests that drive them, and leaves them as DEST/nvim and
# DEST/hx.
#
# Usage: get-editors.sh DEST [nvim] [hx]
#
# They come from the Debian mirror that this machine uses already, without root, and without a change
# to the machine. A private apt state with an empty list of installed packages makes apt fetch every
# library too, libc among them, so that an editor does not depend on the age of the machine. It is
# started through its own loader; the programs that it starts use the machine's own libraries.
set -eu

SUITE=forky

fail() {
    echo "get-editors: $1; install Neovim 0.12 and a Helix of 2026 or newer, and have their paths" \
        "in KEYSIDE_TEST_NVIM and KEYSIDE_TEST_HX" >&2
    exit 1
}

# new_enough PROGRAM: DEST/PROGRAM runs here. Neovim has inline completion from 0.12 on; that Helix
# asks a person, which it does since 2026, its version does not tell.
new_enough() {
    version=$("$DEST/$1" --version 2>/dev/null) || return 1
    numbers=$(echo "$version" | sed -n '1s/^[^0-9]*\([0-9]*\)\.0*\([0-9][0-9]*\).*/\1 \2/p')
    [ -n "$numbers" ] || return 1
    major=${numbers% *} minor=${numbers#* }
    case $1 in
        nvim) [ "$major" -gt 0 ] || [ "$minor" -ge 12 ] ;;
        hx) [ "$major" -gt 25 ] || { [ "$major" -eq 25 ] && [ "$minor" -ge 7 ]; } ;;
    esac
}

[ $# -ge 2 ] || { echo "usage: get-editors.sh DEST [nvim] [hx]" >&2; exit 2; }
mkdir -p "$1"
DEST=$(cd "$1" && pwd)
shift
MISSING=
for program in "$@"; do
    case $program in
        nvim | hx) new_enough "$program" || MISSING="$MISSING $program" ;;
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
    esac
}
fetch() {
    mkdir -p "$WORK/$1-debs/partial"
    apt-get -qq -y -o "Dir::Cache::archives=$WORK/$1-debs" --download-only install \
        "$(package_of "$1")" >>"$WORK/log" 2>&1
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
    esac
    rm -rf "$files"
    mv "$WORK/$program-root" "$files"
    cat >"$WORK/$program" <<RUN
#!/bin/sh
export $runtime
lib='$files/usr/lib/$LIB'
exec "\$lib/$LOADER" --argv0 $program --library-path "\$lib" '$binary' "\$@"
RUN
    chmod +x "$WORK/$program"
    mv "$WORK/$program" "$DEST/$program"
    new_enough "$program" || fail "what was fetched as $program does not run here as it should"
done
