#!/bin/bash
# test.sh OUT [--deadline-s N] [E2E_FILE...]: runs every test against the build in OUT. If E2E_FILEs
# are given, they are the only end-to-end tests that it runs. With ONLY=NAME[,NAME...] it runs only
# the tests of these names: see run_tests.py. The last line is "N passed, N failed, N skipped".
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
: "${1:?usage: test.sh OUT [--deadline-s N] [E2E_FILE...]}"
exec /usr/bin/python3 scripts/run_tests.py "$@" ${ONLY:+--only "$ONLY"}
