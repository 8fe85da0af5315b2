"""compile_commands.py: turns the commands of `make -Bn`, on stdin, into a compilation database
(https://clang.llvm.org/docs/JSONCompilationDatabase.html) on stdout.

Without the precompiled header (`make -Bn PRECOMPILED=`): clang cannot read gcc's.
"""

import json
import shlex
import sys
from pathlib import Path

SOURCES = (".cc", ".c")


def entries(lines):
    for line in lines:
        if " -c -o " not in line:
            continue
        words = shlex.split(line)
        if words[-1].endswith(SOURCES):
            yield {"directory": str(Path.cwd()), "file": words[-1], "arguments": words,
                   "output": words[words.index("-o") + 1]}


def main() -> int:
    found = list(entries(sys.stdin))
    if not found:
        print("compile_commands: expected the output of make -Bn, found no compilation in it",
              file=sys.stderr)
        return 64
    json.dump(found, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
