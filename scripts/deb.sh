#!/bin/bash
# deb.sh: makes Debian packages of the release build, in build/deb/, and checks them with lintian.
#
# The version is that of the newest release in CHANGELOG.md. If changes follow that release, the
# time of the last commit is added: 0.1.0+20261129203123. $SOURCE_DATE_EPOCH replaces that time.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."

for tool in dh dh_python3 lintian; do
  command -v $tool > /dev/null ||
    { echo "deb: there is no $tool: scripts/setup.sh deb installs it" >&2 && exit 71; }
done

# safe.directory: a tree that belongs to another user is only read here.
time=${SOURCE_DATE_EPOCH:-$(git -c safe.directory='*' log -1 --format=%ct)} ||
  { echo "deb: this is no clone: set SOURCE_DATE_EPOCH to the time of the source" >&2 && exit 71; }
version=$(sed -n 's/^## \([0-9.]*\) - .*/\1/p;T;q' CHANGELOG.md)
if grep -q '^## Unreleased' CHANGELOG.md; then
  version+=+$(date --utc --date="@$time" +%Y%m%d%H%M%S)
fi

rm -rf build/deb
mkdir -p build/deb/source
cp -R conf/debian build/deb/source/debian
cd build/deb/source
cat > debian/changelog << END
ringmaster ($version) unstable; urgency=medium

  * See /usr/share/doc/ringmaster/CHANGELOG.md.

 -- $(sed -n 's/^Maintainer: //p' debian/control)  $(date --utc --rfc-email --date="@$time")
END

# The make of debian/rules must not use the flags and job slots of the make that runs this script.
env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL dpkg-buildpackage -us -uc -b
cd ..
lintian --fail-on error ./*.changes
ls "$PWD"/*.deb
