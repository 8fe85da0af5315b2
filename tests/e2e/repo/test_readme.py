"""README.md and docs/ do what they say: runs each block of code in them as printed (see walk.py),
and checks each link."""

import json
import re

import pytest
from installation import make_install
from interop.matrix import table
from readme import ROOT, code_in, section
from walk import EXAMPLES, Walk

WALKED = ("README.md", "docs/quick-start.md", "docs/handlers.md", "docs/python.md",
          "docs/upstreams.md", "docs/clients.md")
CLIENTS = "docs/clients.md"
LANGUAGES = "From any language"
DOCUMENTS = ["README.md", "src/README.md",
             *sorted(f".github/{path.name}" for path in ROOT.glob(".github/*.md")),
             *sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))]


@pytest.fixture(scope="module")
def prefix(root, build, tmp_path_factory):
    """Where the server is installed."""
    prefix = tmp_path_factory.mktemp("installed")
    make_install(root, build, DESTDIR="", PREFIX=prefix)
    return prefix


@pytest.fixture(scope="module")
def demo(root, build, prefix, tmp_path_factory):
    with Walk(root, build, prefix, tmp_path_factory.mktemp("demo")) as walk:
        walk.serve("make run")
        yield walk


@pytest.fixture
def interests(demo):
    """The interests of user 42, as `ringmaster call` prints them."""
    return json.loads(
        demo.run("""build/release/ringmaster call interests.predict '{"user_id": 42}'"""))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("document", WALKED)
def test_document(document, root, build, prefix, tmp_path):
    with Walk(root, build, prefix, tmp_path) as walk:
        walk.follow(document)


def test_every_language_has_an_example():
    assert set(code_in(CLIENTS, LANGUAGES)) == {"sh", *EXAMPLES}


def test_shell_example(demo, interests, tmp_path):
    output = demo.run(code_in(CLIENTS, LANGUAGES)["sh"], tmp_path)
    decoder, answers = json.JSONDecoder(), []
    while output := output.lstrip():
        answer, end = decoder.raw_decode(output)
        answers.append(answer)
        output = output[end:]
    assert answers == [{"jsonrpc": "2.0", "id": 1, "result": interests}] * 2


@pytest.mark.parametrize("language", EXAMPLES)
def test_example(language, demo, interests, tmp_path):
    """The example's first line is the command that runs it, the last line its expected output."""
    code = code_in(CLIENTS, LANGUAGES)[language]
    comment = "# " if language == "python" else "// "
    command, *_, printed = (line.removeprefix(comment) for line in code.splitlines())
    (file,) = (word for word in command.split() if word.startswith("call."))
    (tmp_path / file).write_text(code)
    printed_now = demo.run(command, tmp_path)
    assert printed_now == f"{printed}\n" == f"{interests['interests'][0]['category']}\n"


def test_discover_example(demo):
    command, asked = code_in(CLIENTS, "What the server offers")["sh"].splitlines()
    document = json.loads(demo.run(command))
    assert json.loads(demo.run(asked)) == {"jsonrpc": "2.0", "id": 1, "result": document}
    assert "burn" in [method["name"] for method in document["methods"]]


def test_table_says_what_is_tested():
    assert table() in section(CLIENTS, LANGUAGES), f"expected in {LANGUAGES}:\n{table()}"


def anchors(text: str) -> set[str]:
    """The headings' anchors, as on GitHub."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.M),
                        re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    text = (ROOT / document).read_text()
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), f"{document}: {link}"
        assert not anchor or anchor in anchors(target.read_text()), f"{document}: {link}"
