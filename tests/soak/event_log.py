"""EventLog: the events in a server's log file, read while the server writes it.

The times are the server's, to the millisecond: they do not depend on when a test reads them.
"""

import shlex
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from client import DEADLINE_S


@dataclass(frozen=True)
class Event:
    at: float  # in seconds, like time.time()
    name: str
    fields: dict[str, str]

    def number(self, key: str) -> int:
        return int(self.fields[key])


def parse(line: str) -> Event:
    fields = dict(part.partition("=")[::2] for part in shlex.split(line))
    at = datetime.fromisoformat(fields.pop("time")).timestamp()
    return Event(at, fields.pop("event"), fields)


class EventLog:
    def __init__(self, path: Path):
        path.touch()
        self._file = path.open(encoding="utf-8")
        self._rest = ""
        self._events: list[Event] = []

    def events(self, after: int = 0) -> list[Event]:
        """The events from number `after` on."""
        self._rest += self._file.read()
        *lines, self._rest = self._rest.split("\n")
        self._events += map(parse, lines)
        return self._events[after:]

    def mark(self) -> int:
        """The number of events so far. Take it before an action, as `after` for the action's
        events."""
        return len(self._events) + len(self.events(len(self._events)))

    def wait_for(self, *names: str, after: int, **fields: int) -> Event:
        """Waits for the first event with one of these names and these fields."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            new = self.events(after)
            for event in new:
                if event.name in names and fields.items() <= numbers(event, fields).items():
                    return event
            after += len(new)
            assert time.monotonic() < deadline, f"no {names} {fields} in {DEADLINE_S} s"
            time.sleep(0.001)


def numbers(event: Event, keys: dict[str, int]) -> dict[str, int]:
    return {key: event.number(key) for key in keys if key in event.fields}
