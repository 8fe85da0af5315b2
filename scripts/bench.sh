#!/bin/bash
# bench.sh OUT: measures the build in OUT. Prints Markdown tables, as src/README.md shows them.
# First of all: what is compared must do the same.
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
/usr/bin/python3 tests/bench/check_baselines.py "${1:?usage: bench.sh OUT}"
exec /usr/bin/python3 tests/bench/count_costs.py "$1"
