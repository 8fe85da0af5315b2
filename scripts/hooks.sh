#!/bin/bash
# hooks.sh: makes git run `tidy` over the files of each commit, in this clone and all its worktrees.
# Keeps an existing hook that it did not write.
set -euo pipefail
cd "$(dirname "$0")/.."

hooks=$(git rev-parse --git-path hooks)
hook=$hooks/pre-commit
text=$(cat << 'END'
#!/bin/bash
# Put here by `make hooks`; `git commit --no-verify` skips this hook. The hook reads the files in
# the working folder, not the staged ones.
set -euo pipefail
[[ -x scripts/tidy.sh ]] || exit 0  # an old commit without tidy.sh is checked out
mapfile -t files < <(git diff --cached --name-only --diff-filter=ACMR)
[[ ${#files[@]} -eq 0 ]] || exec scripts/tidy.sh "${files[@]}"
END
)

if [[ -e $hook ]] && ! grep -q 'Put here by `make hooks`' "$hook"; then
  echo "hooks: $hook exists and is another hook: have it call scripts/tidy.sh, or remove it" >&2
  exit 1
fi
mkdir -p "$hooks"
install -m 755 /dev/stdin "$hook" <<< "$text"
echo "hooks: $hook runs scripts/tidy.sh over the files of each commit"
