"""compile_commands.py: turns the commands that `make -Bn` prints, on stdin, into a compilation
database (https://clang.llvm.org/docs/JSONCompilationDatabase.html) on stdout.

make compiles each folder as one file, which includes the folder's source files; the database has a
command for each source file. The precompiled header is left out: clang cannot read gcc's, and each
file includes the headers that it needs.
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
    files_of = {}  # by the name of the file that includes them
    for line in lines:
        words = shlex.split(line)
        if words[:1] == ["printf"]:
            files_of[words[-1]] = words[2:-2]
        elif "-c" in words and words[-1].endswith(SOURCES):
            for file in files_of.get(words[-1], words[-1:]):
                yield {"directory": str(Path.cwd()), "file": file,
                       "arguments": [*without_precompiled(words[:-1]), file],
                       "output": words[words.index("-o") + 1]}


def main() -> int:
    found = list({entry["file"]: entry for entry in entries(sys.stdin)}.values())
    if not found:
        print("compile_commands: expected the output of make -Bn, found no compilation in it",
              file=sys.stderr)
        return 64
    json.dump(found, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
