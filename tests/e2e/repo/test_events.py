"""docs/operations.md explains each event that the source can log, and no other."""

import re

LITERAL = re.compile(r'"([a-z_]+)"')


def arguments(text: str) -> list[str]:
    """The arguments of a call; `text` begins behind its opening parenthesis."""
    found, depth, begin = [], 0, 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|[(){}\[\],]', text):
        token = match.group(0)
        if token in "([{":
            depth += 1
        elif token in ")]}" and depth > 0:
            depth -= 1
        elif token in "),":
            if depth > 0:
                continue
            found.append(text[begin : match.start()].strip())
            begin = match.end()
            if token == ")":
                return found
    raise AssertionError(f"a call without an end: {text[:80]}")


def logged_events(root) -> set[str]:
    """The names of the events in the source, or the expression of an event that is no literal."""
    events = set()
    for file in sorted((root / "src").rglob("*.cc")):
        text = file.read_text()
        for call in re.finditer(r"(?<!void )\blog\((?=Level::)", text):
            level, event, *rest = arguments(text[call.end() :])
            if event.startswith("{"):  # the master writes this line for another process
                event = rest[0]
            events |= set(LITERAL.findall(event)) or {event}
    return events


def explained_events(root) -> dict[str, str]:
    """event -> its meaning, from the tables of events."""
    text = (root / "docs/operations.md").read_text()
    tables = re.findall(r"\| event \| means \| do \|\n\|[-|]+\|\n((?:\|.*\n)+)", text)
    found = {}
    for row in "".join(tables).splitlines():
        names, means, _ = (part.strip() for part in row.strip("|").split("|", 2))
        for name in re.findall(r"`([a-z_]+)`", names):
            assert name not in found, f"{name} is explained twice"
            found[name] = means
    return found


def test_each_event_is_explained_and_no_other(root):
    logged = logged_events(root)
    # Events that are no literal of a call: access_control.cc has them in a table, and log.cc
    # writes the line about lost lines itself.
    assert "report.event" in logged
    logged.remove("report.event")
    access_control = (root / "src/master/frontend/access_control.cc").read_text()
    kinds = set(re.findall(r'\{"([a-z_]+)", "[a-z_]+"\}', access_control))
    assert "clients_refused" in kinds
    assert 'nullptr, "log_lines_lost"' in (root / "src/base/log.cc").read_text()
    logged |= kinds | {"log_lines_lost"}
    explained = explained_events(root)
    assert sorted(logged - explained.keys()) == []
    assert sorted(explained.keys() - logged) == []
    assert all(explained.values())
