#!/bin/bash
# npm_install.sh FROM TO: makes TO a copy of the folder FROM with the packages of its
# package-lock.json. If TO has these packages already, npm does not run, and no network is needed.
# npm builds nothing, and runs no script of a package.
set -euo pipefail
from=${1:?usage: npm_install.sh FROM TO}
to=${2:?usage: npm_install.sh FROM TO}

mkdir -p "$to"
cp -R "$from/." "$to"
cd "$to"
# The lock is copied last, so that an interrupted installation is repeated.
cmp -s package-lock.json installed.json ||
  { npm ci --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error >&2 &&
    cp package-lock.json installed.json; }
