"""report.py: the results of a run as Markdown. Data in, text out.

    tests/bench/report.py RESULTS.json          the report
    tests/bench/report.py --docs RESULTS.json   the section of docs/performance.md; copy its plots
                                                from the folder of RESULTS.json to
                                                tests/bench/results

A scenario's part has first its targets, each beside what was found, or "not reached"; if a target
was not reached, the reason (explanations.md); then its tables, its plots, and the command that runs
it again.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from targets import shown

EXPLANATIONS = Path(__file__).with_name("explanations.md")
PLOTS = "../tests/bench/results"  # where the plots of docs/performance.md lie


def read_explanations(text: str) -> dict[str, str]:
    """Scenario -> what to say when one of its targets is missed: the text under "## scenario"."""
    parts = re.split(r"^## +(\S+)\n", text, flags=re.M)
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2]) if body.strip()}


def verdict(target: dict[str, Any]) -> str:
    if target["figure"] is None:
        return f"**no figure: {target['why_none'] or 'no reason given'}**"
    found = shown(target["figure"], target["unit"])
    if target["is_met"]:
        return found
    wanted = shown(target["limit"], target["unit"])
    sense = {"<=": "≤", ">=": "≥"}[target["sense"]]
    return f"**not reached: {found} instead of {sense} {wanted}**"


def table(columns: list[str], rows: list[list[Any]]) -> str:
    line = lambda cells: "| " + " | ".join(str(cell) for cell in cells) + " |"  # noqa: E731
    numeric = [all(re.match(r"^[-\d.,]+( ?[%×]| [KM]iB)?$", str(row[i])) for row in rows)
               for i in range(len(columns))]
    rule = "|" + "|".join("---:" if is_number and rows else "---" for is_number in numeric) + "|"
    return "\n".join([line(columns), rule, *map(line, rows)])


def summary(scenarios: list[dict[str, Any]]) -> str:
    rows = []
    for scenario in scenarios:
        if "failure" in scenario:
            rows.append([scenario["name"], "", f"**failed: {scenario['failure']}**"])
        rows += [[scenario["name"], each["text"], verdict(each)] for each in scenario["targets"]]
    return table(["scenario", "target", "found"], rows)


def machine_text(run: dict[str, Any]) -> str:
    machine = run["machine"]
    load = " ".join(str(number) for number in machine["load_average"])
    return (
        f"Commit {run['commit']}, {run['date']}, {run['mode']} run. "
        f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, Linux "
        f"{machine['kernel']}, Debian {machine['debian']}; load average before: {load}.")


def versions_text(versions: dict[str, str]) -> str:
    return "Versions: " + ", ".join(f"{name} {text}" for name, text in versions.items()) + "."


def commands_text(commands: list[dict[str, str]]) -> str:
    """Each command once, with the systems that it was used for."""
    asked: dict[str, list[str]] = {}
    for each in commands:
        systems = asked.setdefault(each["command"], [])
        if each["system"] not in systems:
            systems.append(each["system"])
    return "\n".join(f"{command}  # {', '.join(systems)}" for command, systems in asked.items())


def others_text(scenario: dict[str, Any]) -> str:
    """How quiet the machine was: figures of a busy one mean little."""
    shares = scenario["others"]
    if not shares:
        return ""
    return (f"Other processes took {100 * sum(shares) / len(shares):.0f} % of the machine's CPU "
            f"meanwhile, {100 * max(shares):.0f} % during one of the loads.")


def scenario_text(scenario: dict[str, Any], explanations: dict[str, str], folder: str) -> str:
    name = scenario["name"]
    parts = [f"## {name}: {scenario['title']}", scenario["about"]]
    if "failure" in scenario:
        parts.append(f"**Failed: {scenario['failure']}**")
    if scenario["targets"]:
        rows = [[each["text"], verdict(each)] for each in scenario["targets"]]
        parts.append(table(["target", "found"], rows))
    if name in explanations and not all(each["is_met"] for each in scenario["targets"]):
        parts.append(explanations[name])
    for each in scenario["tables"]:
        parts.append(f"{each['title']}:\n\n{table(each['columns'], each['rows'])}")
    if scenario["text"]:
        parts.append(scenario["text"])
    for plot in scenario["plots"]:
        parts.append(f"![{plot['title']}]({folder}{plot['name']}.svg)")
    again = f"ONLY={name} scripts/bench.sh build/release"
    parts.append(f"Again: `{again}`, {scenario['seconds']:.0f} s. {others_text(scenario)}".strip())
    if scenario["commands"]:
        parts.append(f"The loads, by row:\n\n```sh\n"
                     f"{commands_text(scenario['commands'])}\n```")
    return "\n\n".join(parts)


def report(run: dict[str, Any], explanations: dict[str, str]) -> str:
    scenarios = run["scenarios"]
    parts = ["# Measured", machine_text(run), versions_text(run["versions"]),
             "Every figure is a ratio in this one run. `results.json` has the raw numbers, the "
             "`.gp` files make the plots, `configurations/` has the server's configurations.",
             summary(scenarios)]
    parts += [scenario_text(each, explanations, "") for each in scenarios]
    return "\n\n".join(parts) + "\n"


def docs_section(run: dict[str, Any], explanations: dict[str, str]) -> str:
    parts = [machine_text(run), versions_text(run["versions"]), summary(run["scenarios"])]
    for scenario in run["scenarios"]:
        if scenario["name"] in explanations and not all(t["is_met"] for t in scenario["targets"]):
            parts.append(f"*{scenario['name']}*: {explanations[scenario['name']]}")
        parts += [f"![{plot['title']}]({PLOTS}/{plot['name']}.svg)" for plot in scenario["plots"]]
    again = "FULL=1 make bench" if run["mode"] == "full" else "make bench"
    parts.append(f"`{again}` measures all of this again; with `ONLY=NAME`, one scenario.")
    return "## Measured\n\n" + "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--docs", action="store_true",
                        help="print the section of docs/performance.md")
    given = parser.parse_args()
    make = docs_section if given.docs else report
    explanations = read_explanations(EXPLANATIONS.read_text())
    print(make(json.loads(given.results.read_text()), explanations), end="")


if __name__ == "__main__":
    main()
