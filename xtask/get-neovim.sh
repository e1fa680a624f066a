#!/bin/sh
# Fetches Neovim 0.12 into DEST for the tests that drive it: from the Debian mirror that this machine uses already, without root, leaving the machine as it is. DEST/nvim runs it.
#
# Usage: get-neovim.sh DEST
#
# A private apt state with an empty list of installed packages makes apt fetch every library too, libc among them, so the
# editor does not depend on the age of this machine. It is started through its own loader; what it starts uses the
# machine's own libraries.
set -eu

SUITE=forky
MAJOR=0 MINOR=12

fail() {
    echo "get-neovim: $1; install Neovim $MAJOR.$MINOR or newer and have nvim on PATH or its path in KEYSIDE_TEST_NVIM" >&2
    exit 1
}

# new_enough NVIM: it runs here, and is of the version that has inline completion.
new_enough() {
    version=$("$1" --version 2>/dev/null | sed -n '1s/^NVIM v\([0-9]*\.[0-9]*\).*/\1/p') || return 1
    [ -n "$version" ] || return 1
    [ "${version%.*}" -gt $MAJOR ] || { [ "${version%.*}" -eq $MAJOR ] && [ "${version#*.}" -ge $MINOR ]; }
}

[ $# -eq 1 ] || { echo "usage: get-neovim.sh DEST" >&2; exit 2; }
mkdir -p "$1"
DEST=$(cd "$1" && pwd)
if [ -x "$DEST/nvim" ] && new_enough "$DEST/nvim"; then
    exit 0
fi

for tool in apt-get apt-config dpkg dpkg-deb; do
    command -v $tool >/dev/null || fail "this machine has no $tool, so it cannot be fetched from Debian's packages"
done
ARCH=$(dpkg --print-architecture)
case $ARCH in
    amd64) LIB=x86_64-linux-gnu LOADER=ld-linux-x86-64.so.2 ;;
    arm64) LIB=aarch64-linux-gnu LOADER=ld-linux-aarch64.so.1 ;;
    *) fail "there is no recipe for the architecture $ARCH" ;;
esac
for ring in /usr/share/keyrings/debian-archive-keyring.pgp /usr/share/keyrings/debian-archive-keyring.gpg; do
    [ -e $ring ] && KEYRING=$ring
done
[ -n "${KEYRING:-}" ] || fail "the package debian-archive-keyring is missing, so downloads could not be checked"
# Debian's archive is under a path that ends in /debian, on whatever host: one-line entries first, then deb822.
MIRRORS=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    sed -n 's/^deb \(\[[^]]*\] *\)\{0,1\}\([^ ]*\).*/\2/p; s/^URIs: *//p' | tr ' ' '\n' | sed -n 's,/*$,,; /\/debian$/p' | sort -u)
[ -n "$MIRRORS" ] || fail "no Debian mirror is named in this machine's apt sources"

WORK=$(mktemp -d "$DEST/fetch.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$WORK/etc/apt/preferences.d" "$WORK/etc/apt/apt.conf.d" "$WORK/var/lib/apt/lists/partial" \
    "$WORK/var/cache/apt/archives/partial" "$WORK/var/lib/dpkg" "$WORK/root"
: >"$WORK/var/lib/dpkg/status"
# A testing suite's index may be past its date on a mirror that lags; its signature is checked all the same.
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
        if apt-get -qq update >"$WORK/log" 2>&1 && apt-get -qq -y --download-only install neovim >>"$WORK/log" 2>&1; then
            fetched=yes
            break 2
        fi
    done
    sleep $round
done
[ -n "$fetched" ] || fail "the mirror did not give Neovim ($(grep -m1 '^E:' "$WORK/log" || echo 'no reason given'))"

for package in "$WORK"/var/cache/apt/archives/*.deb; do
    dpkg-deb -x "$package" "$WORK/root"
done
# Neovim looks for its parsers, which help and Lua files need, where the package would have been installed, and here.
ln -s ../../../lib/nvim/parser "$WORK/root/usr/share/nvim/runtime/parser"
rm -rf "$DEST/neovim"
mv "$WORK/root" "$DEST/neovim"
cat >"$WORK/nvim" <<RUN
#!/bin/sh
export VIMRUNTIME='$DEST/neovim/usr/share/nvim/runtime'
exec '$DEST/neovim/usr/lib/$LIB/$LOADER' --argv0 nvim --library-path '$DEST/neovim/usr/lib/$LIB' '$DEST/neovim/usr/bin/nvim' "\$@"
RUN
chmod +x "$WORK/nvim"
mv "$WORK/nvim" "$DEST/nvim"
new_enough "$DEST/nvim" || fail "what was fetched does not run here as Neovim $MAJOR.$MINOR"
