#!/bin/bash
# install.sh [--undo] OUT DESTDIR PREFIX: installs the server, its handlers and the files that are
# needed to write more handlers. With --undo it removes these files, and the folders that are empty
# then.
#
# Every user may read the installed files, whatever the umask is, because the service's user reads
# some of them. The configuration goes to /etc where PREFIX is /usr or /usr/local, else to
# PREFIX/etc. The operator owns it: install.sh never overwrites it, and removes it only if it is
# unchanged.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."

readonly kUsage=64
undo=no
[[ ${1:-} != --undo ]] || { undo=yes && shift; }
[[ $# -eq 3 ]] || { echo "usage: install.sh [--undo] OUT DESTDIR PREFIX" >&2 && exit $kUsage; }
out=$1 destdir=$2 prefix=${3%/}
[[ $prefix == /* ]] ||
  { echo "install: expected PREFIX to begin with /, found '$3'" >&2 && exit $kUsage; }

case $prefix in
  /usr | /usr/local) etc=/etc ;;
  *) etc=$prefix/etc ;;
esac
root=$destdir$prefix
version=$(sed -n 's/.*kVersion = "\(.*\)";/\1/p' src/base/version.h)

# Installs a file, or removes it. cp would write into a library that a running server has mapped;
# install makes a new file.
put() {
  local mode=$1 source=$2 target=$3
  if [[ $undo == yes ]]; then
    rm -f "$target"
  else
    install -D -m "$mode" "$source" "$target"
  fi
}

# The same for a configuration file, with the text on stdin. Keeps a file that the operator changed.
put_configuration() {
  local target=$1 text
  text=$(mktemp)
  cat > "$text"
  if [[ -e $target ]] && ! cmp -s "$text" "$target"; then
    echo "install: kept $target, which differs from the one that comes with the server"
  else
    put 644 "$text" "$target"
  fi
  rm "$text"
}

# Prints a file, with this installation's paths in place of /etc/ringmaster and /usr/local.
with_paths() {
  local text
  text=$(< "$1")
  text=${text//\/etc\/ringmaster/$etc/ringmaster}
  printf '%s\n' "${text//\/usr\/local/$prefix}"
}

put 755 "$out/ringmaster" "$root/bin/ringmaster"
# Not $out/handlers/*: after `make clean` that is empty, and --undo needs the names.
for folder in src/handlers/*/; do
  name=$(basename "$folder").so
  put 644 "$out/handlers/$name" "$root/lib/ringmaster/handlers/$name"
done
for file in src/handlers/python/ringmaster/{*.py,py.typed}; do
  put 644 "$file" "$root/lib/ringmaster/handlers/python/ringmaster/${file##*/}"
done
for header in include/ringmaster/*; do
  put 644 "$header" "$root/include/ringmaster/${header##*/}"
done
for document in README.md CHANGELOG.md docs/*.md docs/*.png docs/examples/*.{py,mjs} \
  conf/ringmaster.toml conf/prometheus/alerts.yml conf/grafana/ringmaster.json conf/haproxy.cfg; do
  put 644 "$document" "$root/share/doc/ringmaster/$document"
done
for unit in conf/*.service conf/*.socket; do
  put 644 <(with_paths "$unit") "$root/lib/systemd/system/${unit#conf/}"
done
for page in docs/man/*; do
  put 644 <(with_paths "$page") "$root/share/man/man${page##*.}/${page##*/}"
done
put 644 conf/completion/ringmaster.bash "$root/share/bash-completion/completions/ringmaster"
put 644 conf/completion/_ringmaster "$root/share/zsh/site-functions/_ringmaster"
put 644 conf/completion/ringmaster.fish "$root/share/fish/vendor_completions.d/ringmaster.fish"
put 644 /dev/stdin "$root/lib/pkgconfig/ringmaster.pc" << END
prefix=$prefix
includedir=\${prefix}/include
handlerdir=\${prefix}/lib/ringmaster/handlers
pythonpath=\${prefix}/lib/ringmaster/handlers/python

Name: ringmaster
Description: Headers for the handlers of the ringmaster JSON-RPC server
URL: file://\${prefix}/share/doc/ringmaster/README.md
Version: $version
Cflags: -I\${includedir}
END
with_paths conf/service.toml | put_configuration "$destdir$etc/ringmaster/ringmaster.toml"
put_configuration "$destdir$etc/logrotate.d/ringmaster" < conf/ringmaster.logrotate

if [[ $undo == yes ]]; then
  for folder in "$root"/lib/ringmaster{/handlers/python/ringmaster,/handlers/python,/handlers,} \
    "$root"/include/ringmaster \
    "$root"/share/doc/ringmaster{/docs/examples,/docs,/conf/prometheus,/conf/grafana,/conf,} \
    "$destdir$etc/ringmaster"; do
    rmdir "$folder" 2> /dev/null || true  # the folder holds other files, or does not exist
  done
fi
