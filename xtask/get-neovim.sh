#!/bin/sh
# Fetches Neovim 0.12 for the tests that drive it, and leaves it as DEST/nvim.
#
# Usage: get-neovim.sh DEST
#
# It comes from the Debian mirror that this machine uses already, without root, and without a change
# to the machine. A private apt state with an empty list of installed packages makes apt fetch every
# library too, libc among them, so that the editor does not depend on the age of the machine. It is
# started through its own loader; the programs that it starts use the machine's own libraries.
set -eu

SUITE=forky
MAJOR=0 MINOR=12

fail() {
    echo "get-neovim: $1; install Neovim $MAJOR.$MINOR or newer, and have it on PATH as nvim" \
        "or its path in KEYSIDE_TEST_NVIM" >&2
    exit 1
}

# new_enough NVIM: it runs here, and is of the version that has inline completion.
new_enough() {
    version=$("$1" --version 2>/dev/null | sed -n '1s/^NVIM v\([0-9]*\.[0-9]*\).*/\1/p') || return 1
    [ -n "$version" ] || return 1
    major=${version%.*} minor=${version#*.}
    [ "$major" -gt $MAJOR ] || { [ "$major" -eq $MAJOR ] && [ "$minor" -ge $MINOR ]; }
}

[ $# -eq 1 ] || { echo "usage: get-neovim.sh DEST" >&2; exit 2; }
mkdir -p "$1"
DEST=$(cd "$1" && pwd)
if [ -x "$DEST/nvim" ] && new_enough "$DEST/nvim"; then
    exit 0
fi

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

fetched=
for round in 1 2; do
    for mirror in $MIRRORS; do
        echo "deb [signed-by=$KEYRING] $mirror $SUITE main" >"$WORK/etc/apt/sources.list"
        if apt-get -qq update >"$WORK/log" 2>&1 &&
            apt-get -qq -y --download-only install neovim >>"$WORK/log" 2>&1; then
            fetched=yes
            break 2
        fi
    done
    sleep $round
done
if [ -z "$fetched" ]; then
    fail "the mirror did not give it ($(grep -m1 '^E:' "$WORK/log" || tail -n1 "$WORK/log"))"
fi

for package in "$WORK"/var/cache/apt/archives/*.deb; do
    dpkg-deb -x "$package" "$WORK/root"
done
# Neovim looks for its parsers, which help and Lua files need, where the package is meant to be
# installed, and here.
ln -s ../../../lib/nvim/parser "$WORK/root/usr/share/nvim/runtime/parser"
rm -rf "$DEST/neovim"
mv "$WORK/root" "$DEST/neovim"
cat >"$WORK/nvim" <<RUN
#!/bin/sh
export VIMRUNTIME='$DEST/neovim/usr/share/nvim/runtime'
lib='$DEST/neovim/usr/lib/$LIB'
exec "\$lib/$LOADER" --argv0 nvim --library-path "\$lib" '$DEST/neovim/usr/bin/nvim' "\$@"
RUN
chmod +x "$WORK/nvim"
mv "$WORK/nvim" "$DEST/nvim"
new_enough "$DEST/nvim" || fail "what was fetched does not run here as Neovim $MAJOR.$MINOR"
