"""tidy_sizes.py FILE...: checks the sizes of files, functions and lines, and where files lie.

Prints each violation as file:line: message. A message "warning: ..." only questions a size.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

FILE_LINES_WARN = 300
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100
FILE_BYTES_MAX = 2 << 20

TOP_LEVEL = {"Makefile", "README.md", "CHANGELOG.md", "src", "include", "scripts", "tests", "conf",
             "docs"}
CPP = (".cc", ".h", ".hpp")
TEXT = CPP + (".py", ".sh", ".md", ".toml", ".service", ".socket", ".logrotate", "Makefile",
              ".ci/run", ".editorconfig", ".clang-format", ".gitignore")
# Prose may be long; a URL or a table cannot be wrapped.
ANY_WIDTH = (".md",)
QUOTES_SOURCE = "tests/mutants/"  # lines of any width, too


def check_place(name: str):
    top = name.split("/")[0]
    if top not in TOP_LEVEL and not top.startswith("."):
        yield f"{name}:1: the top level holds {', '.join(sorted(TOP_LEVEL))} and dotfiles only"
    size = Path(name).stat().st_size
    if size > FILE_BYTES_MAX:
        yield f"{name}:1: {size} bytes: at most {FILE_BYTES_MAX} may be in the tree"


def check_lines(name: str, text: str):
    lines = text.splitlines()
    if len(lines) > FILE_LINES_MAX:
        yield f"{name}:{FILE_LINES_MAX + 1}: {len(lines)} lines: at most {FILE_LINES_MAX}"
    elif len(lines) > FILE_LINES_WARN:
        yield f"{name}:{FILE_LINES_WARN + 1}: warning: {len(lines)} lines: is this one idea?"
    if text and not text.endswith("\n"):
        yield f"{name}:{len(lines)}: the last line has no end"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX and not (name.endswith(ANY_WIDTH) or
                                            name.startswith(QUOTES_SOURCE)):
            yield f"{name}:{number}: {len(line)} columns: at most {COLUMNS_MAX}"
        if line != line.rstrip():
            yield f"{name}:{number}: blanks at the end of the line"
        if "\t" in line and name.endswith(CPP + (".py", ".sh")):
            yield f"{name}:{number}: a tab"


def too_long(name: str, function: str, first: int, last: int):
    lines = last - first + 1
    if lines > FUNCTION_LINES_MAX:
        yield f"{name}:{first}: {function} has {lines} lines: at most {FUNCTION_LINES_MAX}"


def check_python(name: str, text: str):
    try:
        tree = ast.parse(text, name)
    except SyntaxError as error:
        yield f"{name}:{error.lineno}: {error.msg}"
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from too_long(name, node.name, node.lineno, node.end_lineno or node.lineno)


def check_cpp_functions(names: list[str]):
    if not names:
        return
    # Expands the macro TEST_CASE, so that test cases count as functions.
    done = subprocess.run(
        ["ctags", "--options=NONE", "--output-format=json", "--fields=+ne", "--languages=C++",
         "--langmap=C++:.cc.h.hpp", "--kinds-C++=f", "-D", "TEST_CASE(name)=void test_case()",
         "-f", "-", *names], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        tag = json.loads(line)
        if "end" in tag:
            yield from too_long(tag["path"], tag["name"], tag["line"], tag["end"])


def check(names: list[str]):
    for name in names:
        yield from check_place(name)
        if not name.endswith(TEXT):
            continue
        try:
            text = Path(name).read_text()
        except UnicodeDecodeError as error:
            yield f"{name}:1: not UTF-8: {error.reason}"
            continue
        yield from check_lines(name, text)
        if name.endswith(".py"):
            yield from check_python(name, text)
    yield from check_cpp_functions([name for name in names if name.endswith(CPP)])


if __name__ == "__main__":
    for problem in check(sys.argv[1:]):
        print(problem)
