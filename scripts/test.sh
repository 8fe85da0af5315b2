#!/bin/bash
# test.sh OUT [--deadline-s N] [E2E_FILE...]: runs every test against the build in OUT, of the
# end-to-end tests only those files if there are any; with ONLY=NAME[,NAME...] only the tests of
# these names, see run_tests.py. The last line is "N passed, N failed, N skipped".
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
: "${1:?usage: test.sh OUT [--deadline-s N] [E2E_FILE...]}"
exec /usr/bin/python3 scripts/run_tests.py "$@" ${ONLY:+--only "$ONLY"}
