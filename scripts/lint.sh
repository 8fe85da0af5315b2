#!/bin/bash
# lint.sh [FILE...]: runs clang-tidy with the checks of .clang-tidy over these C++ files. Without
# FILEs, it checks the files that differ from the merge base with BASE (by default the main branch),
# committed or not; with ALL=1 all files, which takes some 20 minutes on two cores. The last line
# counts the findings.
#
# A header is read with the sources that include it, so only sources are named.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly kResource=71

for tool in git clang-tidy; do
  command -v $tool > /dev/null ||
    { echo "lint: there is no $tool: scripts/setup.sh lint installs it" >&2 && exit $kResource; }
done
[[ -f build/compile_commands.json ]] ||
  { echo "lint: expected build/compile_commands.json: make compile-commands" >&2 &&
    exit $kResource; }

# Finds where the change leaves the main branch. A clone may have only the remote's main branch.
find_base() {
  local name
  for name in ${BASE:-origin/HEAD origin/main main origin/master master}; do
    git rev-parse -q --verify "$name^{commit}" > /dev/null || continue
    git merge-base HEAD "$name" && return 0
  done
  echo "lint: expected a branch main to compare with, found none: set BASE=BRANCH or ALL=1" >&2
  return 1
}

if [[ $# -gt 0 ]]; then
  files=("$@")
elif [[ ${ALL:-0} == 1 ]]; then
  mapfile -t files < <(git ls-files)
else
  base=$(find_base) || exit $kResource
  mapfile -t files < <(git diff --name-only --diff-filter=d "$base")
fi

sources=()
for file in "${files[@]}"; do
  # The database has no command for the other files.
  case $file in src/*.cc | tests/unit/*.cc | tests/support/*.cc) sources+=("$file") ;; esac
done
[[ ${#sources[@]} -gt 0 ]] || { echo "lint: no C++ source has changed" && exit 0; }

echo "lint: ${#sources[@]} files"
output=$(printf '%s\0' "${sources[@]}" |
  xargs -0 -n 1 -P "$(nproc)" clang-tidy -p build --quiet 2>&1) || true
# Keeps each finding once, though many files include its header.
findings=$(grep -E '^([^ ]*:[0-9]+: (warning|error)|error|Error[^:]*): ' <<< "$output" |
  sed "s|^$PWD/||" | sort -u || true)
[[ -z $findings ]] || printf '%s\n' "$findings"
count=$(grep -c . <<< "$findings" || true)
echo "lint: ${#sources[@]} files, $count findings"
[[ $count -eq 0 ]]
