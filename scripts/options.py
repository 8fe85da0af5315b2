"""options.py OUT [--check]: writes the texts about the commands and the configuration's keys.

The program in OUT has these texts: options.py asks it (`check --schema`, `--help-json`), and writes
the tables of docs/configuration.md, conf/ringmaster.toml, the man pages and the completions of
shells. With --check it writes nothing: it names each file that it would change, and exits with 1 if
there is one.
"""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import options_completion
import options_man

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = "docs/configuration.md"
COLUMNS = 98

# conf/ringmaster.toml configures the demo: these values in it are not the defaults.
TABLES = {"upstreams": "users", "handlers": "interests", "methods": '"interests.predict"'}
STEPS = """[
  {{ fetch = "users", body = {{ user_id = "${{params.user_id}}" }} }},
  {{ run = "{}" }},
]"""
VALUES = {
    ("workers", "sandbox"): '"best-effort"',
    ("upstreams", "url"): '"http://127.0.0.1:7080/features"',
    ("handlers", "library"): '"interests"',
    ("handlers", "batch"): "64",
    ("handlers", "model"): '"models/interests.ubj"',
    ("methods", "steps"): STEPS.format("interests"),
}
# Examples of keys that have no value in the demo.
EXAMPLES = {("handlers", "python"): '"score.py:predict"', ("handlers", "venv"): '"venv"',
            ("secrets", "file"): '"/run/credentials/ringmaster.service/NAME"',
            ("secrets", "env"): '"NAME"'}
HEAD = """\
# ringmaster: the keys of all sections, and when to change them. `make options` writes this file.
#
#   ringmaster check -c FILE            every problem in this file, with its line
#   ringmaster check -c FILE --dump     the effective configuration, defaults included
#   ringmaster check --schema           the JSON Schema, for editors
#
# Durations end in _ms: integers. Sizes end in _bytes: integers, or strings such as "64MiB" (KiB,
# MiB, GiB). Relative paths are relative to this file's folder, then to the working folder. A key
# that is left out has the value shown here, or the one after "Default:". `model`, `python` and
# `venv` have no default. [methods], `steps`, `url`, and `file` or `env` of a secret are required.
# docs/configuration.md and `man ringmaster.toml` also have the keys of one step. From
# [upstreams.users] on, this is the demo that `make run` serves.
"""
REST = {
    "handlers": """
# The same in Python.
[handlers.interests_python]
python = "../src/demo/interests/interests.py:Interests"
batch = 64
model = "models/interests.ubj"

# Returns its params: to try out clients, and to measure the cost of everything but the handler.
[handlers.echo]

# Uses {"cpu_ms": N} of CPU time: for load tests.
[handlers.burn]
""",
    "methods": f"""
[methods."interests.predict_python"]
steps = {STEPS.format("interests_python")}

[methods.echo]
steps = [{{ run = "echo" }}]

[methods.burn]
steps = [{{ run = "burn" }}]
""",
}


def sections(schema: dict):
    """(name, heading, description, keys) of each section."""
    for name, section in schema["properties"].items():
        is_named = "patternProperties" in section
        table = section["patternProperties"]["^."] if is_named else section
        keys = {key: dict(about, is_required=key in table["required"])
                for key, about in table["properties"].items()}
        yield name, f"[{name}.NAME]" if is_named else f"[{name}]", section["description"], keys


def default_of(key: dict) -> str:
    """The key's default as TOML, which writes these values as JSON does. Empty: there is none."""
    return json.dumps(key["default"]) if "default" in key else ""


def key_table(keys: dict) -> str:
    lines = ["| key | default | values | meaning |", "|---|---|---|---|"]
    for name, key in keys.items():
        default = default_of(key)
        shown = f"`{default}`" if default else "required" if key.get("is_required") else ""
        lines.append(f"| `{name}` | {shown} | {key['title']} | {key['description']} |")
    return "\n".join(lines) + "\n"


def put(text: str, name: str, between: str) -> str:
    """`text` with `between` put between the comments `name: begin` and `name: end`."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    return re.sub(f"{begin}.*?{end}", lambda _: begin + between + end, text, flags=re.DOTALL)


def document(schema: dict) -> str:
    headings = "| section | says |\n|---|---|\n"
    tables = ""
    for _, heading, says, keys in sections(schema):
        headings += f"| `{heading}` | {says} |\n"
        tables += f"\n`{heading}`: {says}.\n\n{key_table(keys)}"
    tables += f"\nOne of the `steps`:\n\n{key_table(schema['definitions']['step']['properties'])}\n"
    text = put((ROOT / CONFIGURATION).read_text(), "sections", headings)
    return put(text, "options", tables)


def comment(text: str) -> str:
    return textwrap.indent(textwrap.fill(text, COLUMNS, break_on_hyphens=False), "# ") + "\n"


def example(schema: dict) -> str:
    text = HEAD
    for section, heading, says, keys in sections(schema):
        shown = f"[{section}.{TABLES[section]}]" if section in TABLES else heading
        is_used = any(default_of(key) or (section, name) in VALUES for name, key in keys.items())
        text += "\n" + comment(f"{heading}: {says}.") + f"{'' if is_used else '# '}{shown}\n"
        for name, key in keys.items():
            default = default_of(key)
            value = VALUES.get((section, name), default)
            hint = f" Default: {default}." if value != default and default else ""
            text += comment(f"{key['description']} Values: {key['title']}.{hint}")
            unused = EXAMPLES.get((section, name))
            text += f"# {name} = {unused}\n\n" if unused else f"{name} = {value}\n\n"
        text = text[:-1] + REST.get(section, "")
    return text


def plain(app: dict) -> dict:
    """The commands, with each number's range in the help: the parser puts ranges into the type."""
    for option in app["options"]:
        option["help"] = " ".join(option["help"].split())
        kind = re.fullmatch(r"(.*?)(:[A-Z]+ in \[(.*) - (.*)\]|:[A-Z]+TIVE)?", option["type"])
        option["type"] = kind[1] if option["names"][0].startswith("-") else ""
        if kind[3]:
            option["help"] += f"; {kind[3]} to {kind[4]}"
    for command in app["commands"]:
        plain(command)
    return app


def files_of(program: Path) -> dict[str, str]:
    def ask(*arguments: str) -> str:
        return subprocess.run([program, *arguments], capture_output=True, text=True,
                              check=True).stdout

    schema = json.loads(ask("check", "--schema"))
    commands = plain(json.loads(ask("--help-json")))
    version = ask("--version").strip()
    return {
        CONFIGURATION: document(schema),
        "conf/ringmaster.toml": example(schema),
        "docs/man/ringmaster.toml.5": options_man.page_of_configuration(
            list(sections(schema)), schema["definitions"]["step"]["properties"], version),
        "docs/man/ringmaster.1": options_man.page_of_commands(commands, version),
        "conf/completion/ringmaster.bash": options_completion.for_bash(commands),
        "conf/completion/_ringmaster": options_completion.for_zsh(commands),
        "conf/completion/ringmaster.fish": options_completion.for_fish(commands),
    }


def main(out: str, *more: str) -> int:
    changed = {name: text for name, text in files_of((ROOT / out).resolve() / "ringmaster").items()
               if not (ROOT / name).is_file() or (ROOT / name).read_text() != text}
    for name, text in changed.items():
        if "--check" in more:
            print(f"{name}: differs from what the program says; `make options` writes it anew")
        else:
            (ROOT / name).write_text(text)
    return 1 if changed and "--check" in more else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
