#!/bin/bash
# install.sh OUT DESTDIR PREFIX: installs the server, its handlers and the files for writing
# handlers.
#
# The configuration goes to /etc/ringmaster where PREFIX is /usr or /usr/local, else to
# PREFIX/etc/ringmaster. An existing one is kept: it is the operator's.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly kUsage=64
[[ $# -eq 3 ]] || { echo "usage: install.sh OUT DESTDIR PREFIX" >&2 && exit $kUsage; }
out=$1 destdir=$2 prefix=${3%/}
[[ $prefix == /* ]] ||
  { echo "install: expected PREFIX to begin with /, found '$3'" >&2 && exit $kUsage; }

case $prefix in
  /usr | /usr/local) etc=/etc/ringmaster ;;
  *) etc=$prefix/etc/ringmaster ;;
esac
root=$destdir$prefix
version=$(sed -n 's/.*kVersion = "\(.*\)";/\1/p' src/base/version.h)

# Copies a file that names the paths of an installation in /usr/local.
install_with_paths() {
  local text
  text=$(< "$1")
  text=${text//\/etc\/ringmaster/$etc}
  install -D -m 644 /dev/stdin "$2" <<< "${text//\/usr\/local/$prefix}"
}

install -D -m 755 "$out/ringmaster" "$root/bin/ringmaster"
# Not cp, which would write into a library that a running server has mapped; install makes a new
# file.
install -D -m 644 -t "$root/lib/ringmaster/handlers" "$out"/handlers/*.so
install -D -m 644 -t "$root/include/ringmaster" include/ringmaster/*
install -D -m 644 -t "$root/share/doc/ringmaster" README.md CHANGELOG.md
install -D -m 644 -t "$root/share/doc/ringmaster/docs" docs/*.md
for unit in conf/*.service conf/*.socket; do
  install_with_paths "$unit" "$root/lib/systemd/system/$(basename "$unit")"
done

install -D -m 644 /dev/stdin "$root/lib/pkgconfig/ringmaster.pc" << END
prefix=$prefix
includedir=\${prefix}/include
handlerdir=\${prefix}/lib/ringmaster/handlers

Name: ringmaster
Description: Headers for the handlers of the ringmaster JSON-RPC server
URL: file://\${prefix}/share/doc/ringmaster/README.md
Version: $version
Cflags: -I\${includedir}
END

# The demo runs on any system, so its sandbox is best-effort; a service's must be complete.
as_installed() {
  case $1 in
    *.toml) sed 's/^sandbox = "best-effort"$/sandbox = true/' "$1" ;;
    *) cat "$1" ;;
  esac
}

for source in conf/ringmaster.toml conf/models/*; do
  target=$destdir$etc/${source#conf/}
  if [[ ! -e $target ]]; then
    as_installed "$source" | install -D -m 644 /dev/stdin "$target"
  elif ! as_installed "$source" | cmp -s - "$target"; then
    echo "install: kept $target, which differs from $source"
  fi
done
