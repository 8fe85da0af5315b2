"""The README's clients do what it says, as they are printed there: in a network of their own, in
which the demo has the address that they name."""

import json
import os
import subprocess

import probes
import pytest
from interop.matrix import table
from interop.programs import GO
from processes import Process
from readme import blocks, section

SECTION = "Call it from any language"
LANGUAGES = ("sh", "python", "js", "go", "cpp")
EXAMPLE_DEADLINE_S = 50


@pytest.fixture(scope="module")
def demo(root, build, tmp_path_factory):
    """run(COMMAND, FOLDER) -> its output: a shell's, beside the running demo."""
    probes.require("namespaces")
    argv = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec scripts/demo.sh "$0"', build]
    with Process.start(argv, cwd=root, log=tmp_path_factory.mktemp("demo") / "demo.log") as process:
        process.wait_for_line(r"role=feature_service.* event=listening")
        process.wait_for_line(r"role=master.* event=ready")

        def run(command, folder):
            done = subprocess.run(
                ["nsenter", f"--net=/proc/{process.pid}/ns/net", "bash", "-ec", command],
                cwd=folder, env={**os.environ, "GOCACHE": GO["GOCACHE"]}, capture_output=True,
                text=True, stdin=subprocess.DEVNULL, timeout=EXAMPLE_DEADLINE_S)
            assert done.returncode == 0, done.stderr
            return done.stdout

        yield run
        assert process.stop() == 0


@pytest.fixture
def interests(demo, root, build):
    """Of user 42, as the server's own command prints them."""
    command = f"""{build}/ringmaster call interests.predict '{{"user_id": 42}}'"""
    return json.loads(demo(command, root))


def test_every_language_has_an_example():
    assert set(blocks(SECTION)) == set(LANGUAGES)


def test_shell_example(demo, interests, tmp_path):
    output = demo(blocks(SECTION)["sh"], tmp_path)
    decoder, answers = json.JSONDecoder(), []
    while output := output.lstrip():
        answer, end = decoder.raw_decode(output)
        answers.append(answer)
        output = output[end:]
    assert answers == [{"jsonrpc": "2.0", "id": 1, "result": interests}] * 2


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_example(language, demo, interests, tmp_path):
    """Its first line is the command that runs it, its last one what it prints."""
    code = blocks(SECTION)[language]
    comment = "# " if language == "python" else "// "
    command, *_, printed = (line.removeprefix(comment) for line in code.splitlines())
    (file,) = (word for word in command.split() if word.startswith("call."))
    (tmp_path / file).write_text(code)
    assert demo(command, tmp_path) == f"{printed}\n" == f"{interests['interests'][0]['category']}\n"


def test_discover_example(demo, root, build):
    command, asked = blocks("Ask it what it offers")["sh"].splitlines()
    document = json.loads(demo(command.replace("build/release", str(build)), root))
    assert json.loads(demo(asked, root)) == {"jsonrpc": "2.0", "id": 1, "result": document}
    assert "burn" in [method["name"] for method in document["methods"]]


def test_table_says_what_is_tested():
    assert table() in section(SECTION), f"expected in {SECTION}:\n{table()}"
