#!/bin/bash
# setup.sh GROUP...: installs the Debian 12 packages that a group needs and that are missing. If no
# package is missing it does nothing, and needs no network and no root.
set -euo pipefail

# shellcheck disable=SC2034  # the groups are used by their names
# The compiler and the libraries of the server, its handlers and its tools.
build=(
  g++ make pkg-config libuv1-dev libboost-dev rapidjson-dev libcurl4-openssl-dev libssl-dev
  libxgboost-dev libtomlplusplus-dev libcli11-dev libfmt-dev libexpected-dev libsystemd-dev
  libseccomp-dev libbsd-dev zlib1g-dev libpython3-dev prometheus-cpp-dev
)
# shellcheck disable=SC2034
# The tests, and the programs of `make tidy`.
test=(
  doctest-dev python3 python3-pytest python3-pytest-timeout python3-xgboost python3-numpy
  python3-yaml
  systemd systemd-container libnss-systemd util-linux iproute2 procps git clang-format
  universal-ctags shellcheck openssl sslscan gdb
  # Other people's clients: tests/e2e/support/interop has a program for each. The headers of
  # libjsonrpccpp want libcurl4-openssl-dev.
  curl wrk netcat-openbsd nodejs npm golang-go golang-github-sourcegraph-jsonrpc2-dev
  libjsonrpccpp-dev libjsoncpp-dev
  python3-aiorpcx python3-jsonrpclib-pelix python3-pylsp-jsonrpc
  # The programs that read the man pages and the completions.
  man-db zsh fish
  # promtool.
  prometheus
  haproxy
  # An upstream that speaks HTTP/2.
  nginx
)
# shellcheck disable=SC2034
# The measurements: a counter of system calls, the packages of the compared systems
# (tests/bench/baselines), evaluation and plots.
bench=(
  python3 python3-pytest strace util-linux python3-flask gunicorn python3-aiohttp python3-uvloop
  python3-urllib3 python3-ujson python3-xgboost python3-numpy golang-go nodejs npm
  python3-pandas gnuplot-nox
)

# shellcheck disable=SC2034
# The build with AddressSanitizer, and libFuzzer.
fuzz=(clang libclang-rt-14-dev)

# shellcheck disable=SC2034
# The status page in a browser. Not in `test`: it needs 770 MiB, and most of a minute.
browser=(chromium)

# shellcheck disable=SC2034
lint=(clang-tidy git)

# shellcheck disable=SC2034
# The Debian packages.
deb=(debhelper dh-python dpkg-dev lintian git)

# shellcheck disable=SC2034
# The container images, and the program that runs them.
image=(buildah podman runc)

readonly kUsage=64 kResource=71
readonly groups="build, test, bench, fuzz, browser, lint, deb, image"

die() {
  echo "setup: $2" >&2
  exit "$1"
}

wanted=()
for group in "$@"; do
  case $group in
    build | test | bench | fuzz | browser | lint | deb | image)
      declare -n packages=$group && wanted+=("${packages[@]}")
      ;;
    *) die $kUsage "unknown group $group; known: $groups" ;;
  esac
done
[[ $# -gt 0 ]] || die $kUsage "expected one or more of: $groups"

[[ -e /etc/debian_version ]] ||
  die $kResource "this is not Debian: install by hand: ${wanted[*]}"

# Includes provided packages: a nodejs from another source, for example, provides npm and conflicts
# with Debian's.
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}, ${Provides}\n' |
  sed -n 's/^installed //p' | tr ',' '\n' | awk '{ print $1 }')
missing=()
for package in "${wanted[@]}"; do
  [[ $'\n'$installed$'\n' == *$'\n'"$package"$'\n'* ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $EUID -ne 0 ]]; then
  command -v sudo > /dev/null ||
    die $kResource "not root, and there is no sudo; as root: apt-get install ${missing[*]}"
  as_root=(sudo)
fi

echo "setup: installing ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120)
"${apt[@]}" update ||
  die $kResource "apt-get update failed: are the sources in /etc/apt reachable?"
"${apt[@]}" install --yes --no-install-recommends "${missing[@]}" ||
  die $kResource "apt-get could not install the above; Debian 12 has all of them"
