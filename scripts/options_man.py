"""Makes the man pages ringmaster(1) and ringmaster.toml(5) from texts that options.py passes."""

import json
import re

RULES = """\
The file is TOML. A key that is left out has the default that stands behind its name here. A key
without one may be left out unless it is required. Unknown keys and sections are errors, except in
[handlers.NAME]: further keys there are handed to the handler.

Durations end in _ms and are integers, in milliseconds. Sizes end in _bytes and are integers, in
bytes, or strings such as "64MiB" (KiB, MiB, GiB).

Relative paths are looked for in the folder of the file, then in the working folder. The paths of
unix sockets and of [crashes] folder are relative to the folder of the file.

ringmaster check names every problem of a file, and ringmaster check \\-\\-schema prints a JSON
Schema for editors. ringmaster reload makes a server read its file again.
"""
EXAMPLE = """\
[handlers.echo]

[methods.echo]
steps = [{ run = "echo" }]
"""


def escape(text: str) -> str:
    """The text escaped for roff, so that no line of it is taken for a roff request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.MULTILINE)


def head(name: str, number: int, what: str, version: str) -> str:
    return (f'.\\" Written by scripts/options.py.\n'
            f'.TH {name.upper()} {number} "" "{version}" "ringmaster"\n'
            f".SH NAME\n{name} \\- {what}\n")


def describe_keys(keys: dict) -> str:
    text = ""
    for name, key in keys.items():
        default = f" = {json.dumps(key['default'])}" if "default" in key else ""
        required = " Required." if key.get("is_required") else ""
        text += (f".TP\n\\fB{escape(name)}\\fR{escape(default)}\n"
                 f"{escape(key['description'])}{required}\nValues: {escape(key['title'])}.\n")
    return text


def page_of_configuration(sections: list, step: dict, version: str) -> str:
    text = head("ringmaster.toml", 5, "configuration of the ringmaster server", version)
    text += ".SH DESCRIPTION\n" + RULES.replace("\n\n", "\n.PP\n")
    for _, heading, says, keys in sections:
        text += f'.SH "{heading}"\n{says[0].upper()}{escape(says[1:])}.\n{describe_keys(keys)}'
    text += ".SS One of the steps\n" + describe_keys(step)
    text += f".SH EXAMPLE\n.EX\n{EXAMPLE}.EE\n"
    return text + ".SH SEE ALSO\n.BR ringmaster (1)\n"


def describe_option(option: dict) -> str:
    names = ", ".join(f"\\fB{escape(name)}\\fR" for name in option["names"])
    value = f" \\fI{escape(option['type'])}\\fR" if option["type"] else ""
    return f".TP\n{names}{value}\n{escape(option['help'])}\n"


def page_of_commands(app: dict, version: str) -> str:
    text = head(app["name"], 1, app["help"].partition(": ")[2].replace("-", "\\-"), version)
    text += ".SH SYNOPSIS\n"
    for command in app["commands"]:
        words = [option["names"][0] for option in command["options"]
                 if not option["names"][0].startswith("-")]
        text += f".B {app['name']} {command['name']}\n{' '.join(['[options]', *words])}\n.br\n"
    text += ".SH OPTIONS\n" + "".join(map(describe_option, app["options"]))
    for command in app["commands"]:
        text += f".SH \"{app['name']} {command['name']}\"\n"
        text += escape(command["help"][0].upper() + command["help"][1:]) + ".\n"
        text += "".join(describe_option(option) for option in command["options"]
                        if "--help" not in option["names"])
    codes = app["footer"].partition(": ")[2]
    text += f".SH EXIT STATUS\n{escape(codes)}\n"
    text += ".SH FILES\n.TP\n.I /etc/ringmaster/ringmaster.toml\nthe configuration of the service\n"
    return text + ".SH SEE ALSO\n.BR ringmaster.toml (5)\n"
