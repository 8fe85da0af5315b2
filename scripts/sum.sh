#!/bin/bash
# sum.sh COMMAND...: runs all commands, each of them one argument, also after a failure, and adds up
# the last "N passed, N failed, N skipped" that each prints. A command without such a line counts as
# one test. Repeats the lines "failed: ..." of all commands at the end.
set -euo pipefail

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A make that runs this script has job slots, which are not for the commands.
unset MAKEFLAGS MFLAGS MAKELEVEL

passed=0 failed=0 skipped=0 failures=()
for command in "$@"; do
  printf '\n=== %s\n' "$command"
  status=0
  bash -c "$command" 2>&1 | tee "$log" || status=$?
  mapfile -t -O "${#failures[@]}" failures < <(grep '^failed: ' "$log" | sort -u)
  sums=$(grep -E '^[0-9]+ passed, ' "$log" || true)
  if [[ ${sums##*$'\n'} =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
    skipped=$((skipped + BASH_REMATCH[3]))
    [[ $status -eq 0 || ${BASH_REMATCH[2]} -gt 0 ]] || failed=$((failed + 1))
  elif [[ $status -eq 0 ]]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    failures+=("failed: $command: exit status $status")
  fi
done
echo
[[ ${#failures[@]} -eq 0 ]] || printf '%s\n' "${failures[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed -eq 0 ]]
