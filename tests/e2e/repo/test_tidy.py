"""`make tidy` finds each kind of mistake in a tree with one of each."""

import shutil
import subprocess

import pytest

CLEAN = "// A comment.\n#pragma once\n"

# file -> (its text, a part of the line that tidy must print about the file)
MISTAKES = {
    "src/ipc/floor.h": ('#include "master/b.h"\n', ":3: ipc must not include"),
    "src/master/system/worker.h": ('#include "worker/b.h"\n', "system must not include"),
    "src/master/system/room.h": ('#include "master/pipeline/b.h"\n', "system must not"),
    "src/net/config.h": ('#include "config/b.h"\n', "net must not include"),
    "src/handlers/echo/a.h": ('#include "base/b.h"\n', "handlers must not include"),
    "src/demo/interests/a.h": ('#include "base/b.h"\n', "interests must not include"),
    "src/extra/a.h": ('#include "base/b.h"\n', "module extra is not in"),
    "src/base/short.h": ('#include "b.h"\n', "say the path from src/ on"),
    "src/rpc/uv.h": ("#include <uv.h>\n", "<uv.h> belongs in"),
    "src/net/curl.h": ("#include <curl/curl.h>\n", "<curl/curl.h> belongs in"),
    "src/worker/log.h": ('#include "base/log.h"\n', "it never logs"),
    "src/master/scheduler/pure.h": ("#include <unistd.h>\n", "time is an argument"),
    "src/master/admin/pure.h": ("#include <uv.h>\n", "time is an argument"),
    "src/ipc/layout.h": ('#include "ipc/b.h"\nstruct A {\n  std::string name;\n};\n',
                         ":5: shared memory"),
    "src/ipc/b.h": ("struct A {\n  virtual void f();\n};\n", ":4: shared memory"),
    "src/base/role.h": ("#ifdef IS_WORKER\n#endif\n", "do not select code by role"),
    "src/base/long_file.h": ("//\n" * 500, "502 lines: at most 500"),
    "src/base/long_function.cc": ("void f() {\n" + "  g();\n" * 70 + "}\n", "f has 72 lines"),
    "tests/long_test.cc": ('TEST_CASE("a: b") {\n' + "  g();\n" * 70 + "}\n",
                           ":3: test_case has 72 lines"),
    "scripts/long.py": ("def f():\n" + "    g()\n" * 70, "f has 71 lines"),
    "src/base/columns.h": ("// " + "x" * 98 + "\n", ":3: 101 columns"),
    "src/base/format.h": ("int   f( );\n", ":3: not in the format"),
    "scripts/python.py": ("def f(:\n", ":3: invalid syntax"),
    "scripts/shell.sh": ("if true\n", "scripts/shell.sh:"),
    "scripts/shellcheck.sh": ("rm -r $UNSET/*\n", "scripts/shellcheck.sh:3:"),
    "notes.txt": ("", "the top level holds"),
    "conf/model.ubj": ("x" * (2 << 20), "bytes: at most"),
    ".ci/run": ("fi\n", ".ci/run:"),
}
HEADS = {
    ".py": "#\n#\n",
    ".sh": "#!/bin/bash\n\n",
    ".cc": "// A comment.\n\n",
    "run": "#!/bin/bash\n",
}


@pytest.fixture
def tree(tmp_path, root):
    """A tree without violations."""
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/tidy.sh", "scripts/tidy_floors.py", "scripts/tidy_sizes.py"):
        shutil.copy(root / name, tmp_path / name)
    shutil.copy(root / ".clang-format", tmp_path)
    for name in ("base", "master", "master/pipeline", "worker", "config", "rpc"):
        (tmp_path / "src" / name).mkdir(parents=True)
        (tmp_path / "src" / name / "b.h").write_text(CLEAN)
    (tmp_path / "src" / "ipc").mkdir()
    (tmp_path / "src" / "ipc" / "b.h").write_text(CLEAN)
    (tmp_path / "src" / "ipc" / "layout.h").write_text(CLEAN + '\n#include "ipc/b.h"\n')
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def tidy(tree):
    return subprocess.run(["scripts/tidy.sh"], cwd=tree, capture_output=True, text=True, timeout=60)


def test_a_clean_tree_passes(tree):
    done = tidy(tree)
    assert (done.returncode, done.stdout) == (0, "tidy: 12 files, 0 violations, 0 warnings\n")


def test_each_mistake_is_found(tree):
    for name, (text, _) in MISTAKES.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEADS.get(file.suffix or file.name, CLEAN) + text)
    done = tidy(tree)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    for name, (_, message) in MISTAKES.items():
        found = [line for line in lines if line.startswith(f"{name}:")]
        assert any(message in line for line in found), (name, found, done.stderr)
    assert f" {sum(': warning: ' not in line for line in lines[:-1])} violations" in lines[-1]


def test_a_check_that_breaks_is_a_violation(tree):
    (tree / "scripts" / "tidy_floors.py").write_text("raise SystemExit(3)\n")
    done = tidy(tree)
    assert done.returncode == 1
    assert "tidy_floors.py" in done.stdout and "broke with exit status 3" in done.stdout


def test_only_the_named_files_are_checked(tree):
    (tree / "src" / "base" / "a.h").write_text(CLEAN + "int   f( );\n")
    done = subprocess.run(["scripts/tidy.sh", "src/base/b.h", "src/base/none.h"], cwd=tree,
                          capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "tidy: 1 files, 0 violations, 0 warnings\n")


def commit(tree):
    subprocess.run(["git", "add", "-A"], cwd=tree, check=True)
    return subprocess.run(
        ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-q", "-m", "a"],
        cwd=tree, capture_output=True, text=True, timeout=60)


def install_hooks(tree, root):
    shutil.copy(root / "scripts/hooks.sh", tree / "scripts/hooks.sh")
    return subprocess.run(["scripts/hooks.sh"], cwd=tree, capture_output=True, text=True)


def test_the_hook_refuses_an_untidy_commit(tree, root):
    assert install_hooks(tree, root).returncode == 0
    assert commit(tree).returncode == 0
    (tree / "src" / "base" / "a.h").write_text(CLEAN + "int   f( );\n")
    done = commit(tree)
    assert done.returncode == 1
    assert "src/base/a.h:3: not in the format" in done.stdout + done.stderr


def test_another_hook_is_kept(tree, root):
    hook = tree / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n")
    done = install_hooks(tree, root)
    assert done.returncode == 1 and "exists and is another hook" in done.stderr
    assert hook.read_text() == "#!/bin/sh\n"
