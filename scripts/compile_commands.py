"""compile_commands.py: turns the commands that `make -Bn` prints, on stdin, into a compilation
database (https://clang.llvm.org/docs/JSONCompilationDatabase.html) on stdout.

The precompiled header is left out: clang cannot read gcc's, and each file includes what it needs.
"""

import json
import shlex
import sys
from pathlib import Path

SOURCES = (".cc", ".c")
PRECOMPILED = ("precompiled.h", "precompiled_tests.h")


def without_precompiled(words):
    left = iter(words)
    for word in left:
        if word != "-include":
            yield word
        elif not (header := next(left)).endswith(PRECOMPILED):
            yield from (word, header)


def entries(lines):
    for line in lines:
        if " -c " not in line:
            continue
        words = shlex.split(line)
        if words[-1].endswith(SOURCES) and "-o" in words:
            yield {"directory": str(Path.cwd()), "file": words[-1],
                   "arguments": list(without_precompiled(words)),
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
