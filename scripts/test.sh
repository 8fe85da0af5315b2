#!/bin/bash
# test.sh OUT: runs every test against the build in OUT; the last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 scripts/run_tests.py "${1:?usage: test.sh OUT}"
