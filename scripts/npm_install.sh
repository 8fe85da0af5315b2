#!/bin/bash
# npm_install.sh FROM TO: makes TO a copy of the folder FROM with the packages of its
# package-lock.json. Where TO has those of this lock already, npm is left alone: it then needs no
# network. Nothing is built, and none of a package's scripts is run.
set -euo pipefail
from=${1:?usage: npm_install.sh FROM TO}
to=${2:?usage: npm_install.sh FROM TO}

mkdir -p "$to"
cp -R "$from/." "$to"
cd "$to"
# Copied last, so that an installation that was cut off is done again.
cmp -s package-lock.json installed.json ||
  { npm ci --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error >&2 &&
    cp package-lock.json installed.json; }
