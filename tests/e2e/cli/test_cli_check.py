"""The command line: check, exit codes, and the errors about mistakes."""

import os
import pathlib
import re
import subprocess

import pytest
from client import DEADLINE_S

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = ROOT / os.environ.get("RINGMASTER_BUILD", "build/release") / "ringmaster"

GOOD = """\
[handlers.echo]
library = "lib/echo.so"
[methods.echo]
steps = [{ run = "echo" }]
"""


def run(*arguments, **options):
    command = [PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, **options)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "echo.so").touch()
    return tmp_path


@pytest.fixture
def write(folder):
    def write(text, name="x.toml"):
        path = folder / name
        path.write_text(text)
        return path

    return write


def test_a_good_configuration_is_ok(write):
    path = write(GOOD)
    done = run("check", "-c", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}: ok\n", "")


def test_every_problem_is_a_line_with_file_line_and_key(write):
    path = write(GOOD + "timeout_mss = 5\n[workers]\ncount = 0\n[limit]\n")
    done = run("check", "-c", path)
    assert done.returncode == 78
    assert done.stdout.splitlines() == [
        f"{path}:5: methods.echo.timeout_mss: unknown key; did you mean timeout_ms?",
        f"{path}:7: workers.count: expected 1 to 512, or \"auto\", found 0",
        f"{path}:8: limit: unknown section; did you mean limits?",
    ]


def test_a_missing_file_names_the_nearest(write, folder):
    write(GOOD, "ringmaster.toml")
    done = run("check", "-c", folder / "ringmastr.toml")
    assert done.returncode == 78
    assert f"no such file; did you mean {folder / 'ringmaster.toml'}?" in done.stdout


def test_a_path_may_be_relative_to_the_working_folder(write, folder):
    write(GOOD)
    assert run("check", "-c", "x.toml", cwd=folder).stdout == "x.toml: ok\n"
    (folder / "conf").mkdir()
    write(GOOD, "conf/y.toml")
    assert run("check", "-c", "conf/y.toml", cwd=folder).returncode == 0


def test_a_dump_is_a_configuration_that_dumps_the_same(write, folder):
    dumped = run("check", "--dump", "-c", write(GOOD))
    assert dumped.returncode == 0
    assert 'request_bytes = "16MiB"' in dumped.stdout
    assert f'library = "{folder}/lib/echo.so"' in dumped.stdout
    again = run("check", "--dump", "-c", write(dumped.stdout, "dumped.toml"))
    assert again.returncode == 0
    assert again.stdout == dumped.stdout


def test_check_binds_nothing(write):
    # No host here has this address, so binding it would fail.
    done = run("check", "-c", write(GOOD + '[listen]\nrpc = ["192.0.2.1:7070"]\n'))
    assert done.returncode == 0


def test_serve_refuses_a_bad_configuration_on_stderr(write):
    path = write(GOOD + "[listen]\nstatus = 'tls://127.0.0.1:7071'\n")
    done = run("serve", "-c", path)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith(f"{path}:6: listen.status: expected an address without TLS")


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "expected a subcommand: serve, check, reload, call, discover, bench, run, replay,"),
        (["sreve"], "unknown subcommand sreve; did you mean serve?"),
        (["--vresion"], "unknown option --vresion; did you mean --version?"),
        (["check"], "check: expected -c FILE"),
        (["serve"], "serve: expected -c FILE"),
        (["check", "-c"], "--config: 1 required FILE missing"),
        (["check", "-c", "x", "--dmup"], "unknown option --dmup; did you mean --dump?"),
        (["check", "-c", "x", "--schema"], "check: expected either -c or --schema, found both"),
        (["check", "--dump", "--schema"], "expected either --dump or --schema, found both"),
        (["check", "-c", "x", "y"], "unexpected argument y"),
        (["serve", "--log-fromat", "json"], "--log-fromat; did you mean --log-format?"),
        (["serve", "-c", "x", "--log-format", "jsn"], "found jsn; did you mean json?"),
        (["serve", "--conifg=x"], "unknown option --conifg; did you mean --config?"),
    ],
)
def test_a_wrong_command_line_exits_64_and_says_why(arguments, said):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert said in done.stderr


def test_the_version_is_the_newest_of_the_changelog(root):
    """The changelog has the released versions, the newest first, below the unreleased changes."""
    headings = re.findall(r"^## (.*)$", (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    released = [re.fullmatch(r"(\d+\.\d+\.\d+) - \d{4}-\d\d-\d\d", each) for each in headings[1:]]
    assert all(released), headings
    assert run("--version").stdout == f"ringmaster {released[0][1]}\n"


def test_help_exits_0():
    for arguments in (["--help"], ["serve", "--help"], ["check", "--help"], ["call", "--help"]):
        done = run(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Usage: ringmaster" in done.stdout


def test_the_subcommand_help_prints_what_the_option_prints():
    for options, words in ((["--help"], ["help"]), (["call", "--help"], ["help", "call"])):
        done = run(*words)
        assert (done.returncode, done.stdout) == (0, run(*options).stdout)
    done = run("help", "cal")
    assert done.returncode == 64 and "unknown subcommand cal; did you mean call?" in done.stderr


def test_a_log_file_that_cannot_be_opened_exits_71(write, folder):
    done = run("serve", "-c", write(GOOD), "--log-file", folder / "none" / "x.log")
    assert done.returncode == 71
    assert "none/x.log" in done.stderr
