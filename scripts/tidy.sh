#!/bin/bash
# tidy.sh [FILE...]: checks the floors, sizes and format of these files, or else of all files in the
# tree that are not ignored. Prints each violation as file:line: message, then one line that counts
# the violations.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in git clang-format ctags shellcheck; do
  command -v $tool > /dev/null ||
    { echo "tidy: there is no $tool: scripts/setup.sh test installs it" >&2 && exit 71; }
done

# safe.directory: a tree that belongs to another user is only read here.
mapfile -t files < <(git -c safe.directory='*' ls-files -co --exclude-standard -- "$@" |
  while IFS= read -r file; do [[ ! -f $file ]] || echo "$file"; done)
[[ $# -eq 0 || ${#files[@]} -gt 0 ]] || exit 0  # the given files are ignored, or were removed
[[ ${#files[@]} -gt 0 ]] || { echo "tidy: git lists no files: is this a clone?" >&2 && exit 71; }

sources=() shells=()
for file in "${files[@]}"; do
  case $file in
    src/*.cc | src/*.h | include/*.h | include/*.hpp | tests/*.cc | tests/*.h) sources+=("$file") ;;
    *.sh | .ci/run) shells+=("$file") ;;
  esac
done

check_format() {
  [[ ${#sources[@]} -gt 0 ]] || return 0
  local output
  output=$(clang-format --dry-run -Werror "${sources[@]}" 2>&1) && return 0
  # The first place of each file is enough: clang-format corrects all.
  grep -q ': error: code should be clang-formatted' <<< "$output" || { echo "$output" && return 1; }
  awk -F: '/: error: / && !seen[$1]++ { print $1 ":" $2 ": not in the format of .clang-format" }' \
    <<< "$output"
}

check_shells() {
  [[ ${#shells[@]} -gt 0 ]] || return 0
  local file
  for file in "${shells[@]}"; do
    bash -n "$file" 2>&1 | sed "s|^$file: line \([0-9]*\): |$file:\1: |" || true
  done
  shellcheck --format=gcc --severity=warning "${shells[@]}" | sed 's/: warning: /: /' || true
}

# A check prints its violations; its exit status says whether it ran, so that a broken check does
# not look like one without violations.
check() {
  "$@" || echo "scripts/tidy.sh:1: $* broke with exit status $?"
}

problems=$({
  check /usr/bin/python3 scripts/tidy_floors.py "${files[@]}"
  check /usr/bin/python3 scripts/tidy_sizes.py "${files[@]}"
  check check_format
  check check_shells
})
[[ -z $problems ]] || echo "$problems"
warnings=$(grep -c ': warning: ' <<< "$problems" || true)
violations=$(($(grep -c . <<< "$problems" || true) - warnings))
echo "tidy: ${#files[@]} files, $violations violations, $warnings warnings"
[[ $violations -eq 0 ]]
