"""The compilation database knows every source of the build, as clang's tools need it."""

import json
import os
import subprocess


def test_every_source_has_a_command_that_clang_can_run(root):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    printed = subprocess.run(["make", "-Bn", "all", "build/release/unit_tests"], cwd=root,
                             env=environment, capture_output=True, text=True, check=True).stdout
    done = subprocess.run(["/usr/bin/python3", "scripts/compile_commands.py"], cwd=root,
                          input=printed, capture_output=True, text=True, check=True)
    commands = {entry["file"]: entry["arguments"] for entry in json.loads(done.stdout)}
    sources = [*(root / "src").rglob("*.cc"), *(root / "tests" / "unit").rglob("*.cc")]
    assert {str(path.relative_to(root)) for path in sources} <= set(commands)
    assert not [words for words in commands.values() if "-include" in words]
    # One file of each kind must compile without the precompiled header.
    for file in ("src/main.cc", "tests/unit/base/ascii_test.cc"):
        flags = [word for word in commands[file] if word.startswith(("-I", "-D", "-std"))]
        subprocess.run(["g++", "-fsyntax-only", *flags, file], cwd=root, check=True)
