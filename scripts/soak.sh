#!/bin/bash
# soak.sh OUT [OPTION...]: soaks the build in OUT: kills, reloads and chaos under load. Without
# options it takes about an hour and a half; the last line is "N passed, N failed, N skipped".
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 tests/soak/soak.py "${@:?usage: soak.sh OUT [OPTION...]}"
