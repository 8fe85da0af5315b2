#!/bin/bash
# image.sh: makes two container images (OCI) from the packages in build/deb and from what these
# depend on, without a shell and without Debian's base system: build/image/ringmaster.tar, and
# ringmaster-python3.tar, which also has Python and the handler that runs functions in Python.
#
# Nothing is run in an image, so buildah needs no namespaces. apt-get takes the dependencies from
# this machine's sources.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."

readonly kResource=71
die() {
  echo "image: $1" >&2
  exit $kResource
}

command -v buildah > /dev/null || die "there is no buildah: scripts/setup.sh image installs it"
out=$PWD/build/image
rm -rf "$out"
mkdir -p "$out"

# Extracts the packages, and all that they depend on, into $root.
extract() {
  local apt deb
  mkdir -p "$work/apt/archives/partial" "$root"/{dev,proc,sys,tmp} "$root/etc/ssl/certs"
  # An empty list of installed packages makes apt-get resolve everything down to libc6. The package
  # ca-certificates comes without its dependencies, which only help to install certificates.
  apt=(apt-get -q -o Dir::Cache="$work/apt" -o Dir::State::status=/dev/null
    -o APT::Sandbox::User=root)
  "${apt[@]}" install --download-only --yes --no-install-recommends "$@" ||
    die "apt-get could not fetch the libraries: does apt-get update succeed?"
  (cd "$work/apt/archives" && "${apt[@]}" download ca-certificates) ||
    die "apt-get could not fetch ca-certificates"
  for deb in "$@" "$work"/apt/archives/*.deb; do
    dpkg-deb --extract "$deb" "$root"
  done
}

# Removes files that no program in the image reads: documents except licences, and libc's modules
# for character sets, for example. Makes those that a package's script would make.
tidy() {
  find "$root/usr/share/ca-certificates" -name '*.crt' -exec cat {} + \
    > "$root/etc/ssl/certs/ca-certificates.crt"
  find "$root/usr/share/doc" -type f ! -name copyright -delete
  rm -rf "$root"/usr/share/{man,locale,lintian,bash-completion,zsh,fish,ca-certificates,gcc,gdb} \
    "$root"/usr/lib/*/gconv "$root"/{lib/systemd,etc/logrotate.d} "$root"/usr/{bin/c_rehash,sbin}
  echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
  cp conf/kubernetes/base/ringmaster.toml "$root/etc/ringmaster/ringmaster.toml"
}

# make_image NAME: of the packages `ringmaster` and NAME.
make_image() {
  local name=$1 work=$out/$1 root=$out/$1/root package packages=() buildah container version
  for package in ringmaster $([[ $name == ringmaster ]] || echo "$name"); do
    packages+=(./build/deb/"$package"_*.deb)
    [[ -f ${packages[-1]} ]] || die "there is no ${packages[-1]}: make deb makes it"
  done
  version=$(dpkg-deb --field "${packages[0]}" Version)
  extract "${packages[@]}"
  tidy
  buildah=(buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs)
  container=$("${buildah[@]}" from scratch)
  "${buildah[@]}" copy --quiet "$container" "$root" /
  "${buildah[@]}" config --user 65532:65532 --port 7070 --port 7071 --stop-signal SIGTERM \
    --entrypoint '["/usr/bin/ringmaster"]' --cmd "serve -c /etc/ringmaster/ringmaster.toml" \
    --label "org.opencontainers.image.version=$version" "$container"
  "${buildah[@]}" commit --quiet --rm "$container" \
    "oci-archive:$out/$name.tar:localhost/$name:${version/+/-}"  # a tag may have no plus
  rm -rf "$work"
}

make_image ringmaster
make_image ringmaster-python3
ls -l "$out"/*.tar
