#!/bin/bash
# image.sh: makes a container image of build/deb/ringmaster_*.deb and the libraries that it depends
# on, without a shell and without Debian's base system: build/image/ringmaster.tar (OCI).
#
# Nothing is run in the image, so buildah needs no namespaces. apt-get takes the libraries from this
# machine's sources.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."

readonly kResource=71
die() {
  echo "image: $1" >&2
  exit $kResource
}

command -v buildah > /dev/null || die "there is no buildah: scripts/setup.sh image installs it"
package=$(echo build/deb/ringmaster_*.deb)
[[ -f $package ]] || die "there is no $package: make deb makes it"
version=$(dpkg-deb --field "$package" Version)

out=$PWD/build/image
root=$out/root
rm -rf "$out"
mkdir -p "$out/apt/archives/partial" "$root"/{dev,proc,sys,tmp} "$root/etc/ssl/certs"

# An empty list of installed packages makes apt-get resolve everything down to libc6. The package
# ca-certificates comes without its dependencies, which only help to install certificates.
apt=(apt-get -q -o Dir::Cache="$out/apt" -o Dir::State::status=/dev/null -o APT::Sandbox::User=root)
"${apt[@]}" install --download-only --yes --no-install-recommends "./$package" ||
  die "apt-get could not fetch the libraries: does apt-get update succeed?"
(cd "$out/apt/archives" && "${apt[@]}" download ca-certificates) ||
  die "apt-get could not fetch ca-certificates"

for deb in "$package" "$out"/apt/archives/*.deb; do
  dpkg-deb --extract "$deb" "$root"
done
find "$root/usr/share/ca-certificates" -name '*.crt' -exec cat {} + \
  > "$root/etc/ssl/certs/ca-certificates.crt"
# Removes files that no program in the image reads: documents except licences, and libc's modules
# for character sets, for example.
find "$root/usr/share/doc" -type f ! -name copyright -delete
rm -rf "$root"/usr/share/{man,locale,lintian,bash-completion,zsh,fish,ca-certificates,gcc,gdb} \
  "$root"/usr/lib/*/gconv "$root"/{lib/systemd,etc/logrotate.d} "$root"/usr/{bin/c_rehash,sbin}
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
cp conf/kubernetes/base/ringmaster.toml "$root/etc/ringmaster/ringmaster.toml"

buildah=(buildah --root "$out/storage" --runroot "$out/run" --storage-driver vfs)
container=$("${buildah[@]}" from scratch)
"${buildah[@]}" copy --quiet "$container" "$root" /
"${buildah[@]}" config --user 65532:65532 --port 7070 --port 7071 --stop-signal SIGTERM \
  --entrypoint '["/usr/bin/ringmaster"]' --cmd "serve -c /etc/ringmaster/ringmaster.toml" \
  --label "org.opencontainers.image.version=$version" "$container"
"${buildah[@]}" commit --quiet --rm "$container" \
  "oci-archive:$out/ringmaster.tar:localhost/ringmaster:${version/+/-}"  # a tag may have no plus
rm -rf "$out"/{apt,root,storage,run}
ls -l "$out/ringmaster.tar"
