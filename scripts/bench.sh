#!/bin/bash
# bench.sh OUT: measures the build in OUT. Prints Markdown tables, as src/README.md shows them.
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
: "${1:?usage: bench.sh OUT}"
/usr/bin/python3 tests/bench/count_costs.py "$1"
/usr/bin/python3 tests/bench/aggregation.py "$1"
