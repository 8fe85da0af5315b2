"""Completions for bash, zsh and fish, of the commands that options.py passes on.

Method names come from the server that the command line names, which has half a second to answer.
"""

import re
import shlex

FILE = "FILE"
METHOD = "METHOD"
# The options that say which server to ask, and how.
SERVER = ["-c", "--config", "--to", "--token-file", "--ca", "--cert", "--key"]
JOINED = "|".join(f"{name}=*" for name in SERVER if name.startswith("--"))
NAMES = """discover --timeout-ms 500 {} 2> /dev/null |
    sed -n 's/^      "name": "\\(.*\\)",$/\\1/p'"""


def choices(option: dict) -> list[str]:
    """The words that an option can have; empty: it has no such list."""
    is_list = re.fullmatch(r"[a-z-]+(\|[a-z-]+)+", option["type"])
    return option["type"].split("|") if is_list else []


def is_positional(option: dict) -> bool:
    return not option["names"][0].startswith("-")


def takes(what: str, command: dict) -> bool:
    """Whether the command has this positional word: METHOD or FILE."""
    return any(what in option["names"] for option in command["options"])


def named_options(app: dict) -> list[dict]:
    return [option for option in app["options"] if not is_positional(option)]


def bash_case(pattern: str, body: str) -> str:
    return f"    {pattern}) {body} ;;\n"


def for_bash(app: dict) -> str:
    valued = {name: option for command in app["commands"] for option in named_options(command)
              if option["type"] for name in option["names"]}
    words = " ".join([command["name"] for command in app["commands"]] +
                     [name for option in app["options"] for name in option["names"]])
    files = [name for name, option in valued.items() if option["type"] == FILE]
    values = bash_case("|".join(files), "_ringmaster_files && return")
    for name, option in valued.items():
        if words_of := " ".join(choices(option)):
            values += bash_case(name, f'_ringmaster_words "{words_of}" && return')
    values += bash_case("|".join(n for n, o in valued.items() if not choices(o) and n not in files),
                        "return")
    options = "".join(bash_case(command["name"], 'options="' + " ".join(
        name for option in named_options(command) for name in option["names"]) + '"')
        for command in app["commands"])
    others = [name for name in valued if name not in SERVER]
    return BASH.format(words=words, values=values, options=options, valued="|".join(others),
                       server="|".join(SERVER), joined=JOINED,
                       names=NAMES.format('"${server[@]}"'),
                       takers="|".join(c["name"] for c in app["commands"] if takes(METHOD, c)),
                       file_takers="|".join(c["name"] for c in app["commands"] if takes(FILE, c)))


BASH = """\
# Completion of ringmaster for bash. Written by scripts/options.py.

_ringmaster_words() {{
  COMPREPLY=($(compgen -W "$1" -- "$word"))
}}

_ringmaster_files() {{
  compopt -o filenames
  COMPREPLY=($(compgen -f -- "$word"))
}}

_ringmaster() {{
  # Not COMP_WORDS: they are split at the colons of addresses, too.
  local words server=() options="" word before i given=0
  read -ra words <<< "${{COMP_LINE:0:COMP_POINT}}"
  [[ ${{COMP_LINE:0:COMP_POINT}} != *[[:space:]] ]] || words+=("")
  word=${{words[-1]}} before=${{words[-2]}}
  COMPREPLY=()
  if [[ ${{#words[@]}} -le 2 ]]; then
    _ringmaster_words "{words}"
    return
  fi
  [[ $word != --*=* ]] || {{ before=${{word%%=*}} word=${{word#*=}}; }}
  case $before in
{values}  esac
  case ${{words[1]}} in
{options}  esac
  for ((i = 2; i < ${{#words[@]}} - 1; i++)); do
    case ${{words[i]}} in
      {server}) server+=("${{words[i]}}" "${{words[i + 1]/#\\~/$HOME}}") && ((++i)) ;;
      {joined}) server+=("${{words[i]}}") ;;
      {valued}) ((++i)) ;;
      -*) ;;
      *) given=1 ;;
    esac
  done
  if [[ $word == -* ]]; then
    _ringmaster_words "$options"
  elif [[ $given -eq 0 && ${{words[1]}} == @({takers}) ]]; then
    _ringmaster_words "$("${{words[0]/#\~/$HOME}}" {names})"
  elif [[ ${{words[1]}} == @({file_takers}) ]]; then
    _ringmaster_files
  fi
}}

complete -F _ringmaster ringmaster
"""


def zsh_option(option: dict) -> str:
    """One argument of _arguments."""
    quoted = re.sub(r"([\[\]:])", r"\\\1", option["help"])
    value = ""
    if option["type"] or is_positional(option):
        words = choices(option)
        is_file = FILE in (option["type"], option["names"][0])
        what = f"({' '.join(words)})" if words else "_files" if is_file else ""
        what = "_ringmaster_methods" if METHOD in option["names"] else what
        name = option["names"][0] if is_positional(option) else option["type"]
        value = f":{name.replace(':', chr(92) + ':')}:{what}"
    if is_positional(option):
        return shlex.quote(value if METHOD in option["names"] else ":" + value)
    excluded = " ".join(option["names"])
    # NAME= has its value after the =, or as the next word.
    names = [name + "=" if value and name.startswith("--") else name for name in option["names"]]
    if len(names) == 1:
        return shlex.quote(f"{names[0]}[{quoted}]{value}")
    return f"'({excluded})'{{{','.join(names)}}}" + shlex.quote(f"[{quoted}]{value}")


def for_zsh(app: dict) -> str:
    commands = "\n".join("    " + shlex.quote(f"{command['name']}:{command['help']}")
                         for command in app["commands"])
    cases = ""
    for command in app["commands"]:
        options = " \\\n        ".join(map(zsh_option, command["options"]))
        cases += f"    {command['name']})\n      _arguments \\\n        {options} ;;\n"
    top = " ".join(map(zsh_option, app["options"]))
    return ZSH.format(commands=commands, cases=cases, top=top, server="|".join(SERVER),
                      joined=JOINED, names=NAMES.format("$server"))


ZSH = """\
#compdef ringmaster
# Completion of ringmaster for zsh. Written by scripts/options.py.

_ringmaster_methods() {{
  local -a server names
  local i
  for ((i = 2; i < CURRENT; i++)); do
    case $words[i] in
      {server}) server+=($words[i] ${{~words[i + 1]}}) ;;
      {joined}) server+=($words[i]) ;;
    esac
  done
  names=(${{(f)"$($program {names})"}})
  compadd -a names
}}

_ringmaster() {{
  local program=${{~words[1]}}
  local -a commands=(
{commands}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    _arguments {top}
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
{cases}  esac
}}

_ringmaster "$@"
"""


def fish_option(option: dict, condition: str) -> str:
    text = f"complete -c ringmaster -n {shlex.quote(condition)}"
    for name in option["names"]:
        text += f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}"
    if option["type"]:
        text += " -r"
    if option["type"] == FILE:
        text += " -F"
    if choices(option):
        text += f" -f -a {shlex.quote(' '.join(choices(option)))}"
    return text + f" -d {shlex.quote(option['help'])}\n"


def for_fish(app: dict) -> str:
    text = FISH.format(server=" ".join(SERVER), joined=JOINED.replace("*", ".*"),
                       names=NAMES.format("$server"))
    for option in app["options"]:
        text += fish_option(option, "__fish_use_subcommand")
    for command in app["commands"]:
        text += (f"complete -c ringmaster -n __fish_use_subcommand -a {command['name']} "
                 f"-d {shlex.quote(command['help'])}\n")
        seen = f"__fish_seen_subcommand_from {command['name']}"
        text += "".join(fish_option(option, seen) for option in named_options(command))
        if takes(METHOD, command):
            text += f"complete -c ringmaster -n '{seen}' -a '(__ringmaster_methods)'\n"
        if takes(FILE, command):
            text += f"complete -c ringmaster -n '{seen}' -F\n"
    return text


FISH = """\
# Completion of ringmaster for fish. Written by scripts/options.py.

function __ringmaster_methods
    set -l words (commandline -opc)
    set -l server
    for i in (seq 2 (count $words))
        if contains -- $words[$i] {server}
            set -a server $words[$i] $words[(math $i + 1)]
        else if string match -qr -- '^({joined})$' $words[$i]
            set -a server $words[$i]
        end
    end
    eval $words[1] {names}
end

complete -c ringmaster -f
"""
