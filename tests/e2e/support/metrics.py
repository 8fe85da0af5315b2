"""The metrics of a server, from /metrics of its status port."""

import re

from status_port import ask

SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)",?')

Labels = frozenset[tuple[str, str]]


def metrics(address: str) -> dict[tuple[str, Labels], float]:
    """The value of each sample."""
    code, text = ask(address, "/metrics")
    assert code == 200
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        key = name, frozenset(LABEL.findall(labels or ""))
        assert key not in found, line
        found[key] = float(value)
    return found


def by(address: str, name: str, *labels: str) -> dict:
    """The values of a metric, by the values of the given labels: by(a, "workers", "state")."""
    return {tuple(dict(its)[label] for label in labels) if len(labels) > 1 else
            dict(its)[labels[0]]: value
            for (found, its), value in metrics(address).items() if found == f"ringmaster_{name}"}


def families(address: str) -> dict[str, str]:
    """The kind of each metric."""
    return dict(re.findall(r"^# TYPE (\w+) (\w+)$", ask(address, "/metrics")[1], re.MULTILINE))
