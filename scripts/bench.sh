#!/bin/bash
# bench.sh OUT: measures the build in OUT and the systems that it is compared with, in a few
# minutes. FULL=1 runs longer and measures more points, ONLY=NAME[,NAME] runs only those scenarios
# (tests/bench/scenarios). Writes build/bench/COMMIT-DATE/ and prints its report. First checks that
# all systems give the same answers.
#
# BASELINE=DIR compares the server of OUT with that of another build in DIR instead, pair by pair:
# tests/bench/compare.py.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${1:?usage: bench.sh OUT}"
export PYTHONDONTWRITEBYTECODE=1
/usr/bin/python3 -m pytest -q -c tests/e2e/pytest.ini --rootdir tests/bench tests/bench >&2
if [[ -n ${BASELINE:-} ]]; then
  exec /usr/bin/python3 tests/bench/compare.py "$1" "$BASELINE"
fi
/usr/bin/python3 tests/bench/check_baselines.py "$1"
exec /usr/bin/python3 tests/bench/run.py "$1"
