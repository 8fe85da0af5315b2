"""Reloads: configurations that must be accepted, and some that must be refused, under load.

All of them keep the methods that the load calls.
"""

import os
import random
from typing import Any

from client import Client
from event_log import Event
from load import Load
from target import Target

MIB = 1 << 20

# Modules that cannot be served.
BROKEN = (
    "def run(:",
    "1 / 0",
    "import os; os._exit(3)",
    "import os; os.fork()\ndef run(): pass",
    "import subprocess; subprocess.Popen(['sleep', '3600'])\ndef run(): pass",
)


def good_change(dice: random.Random, target: Target) -> dict[str, Any]:
    """Valid sections that differ from the target's first ones."""
    upstreams = target.sections["upstreams"]
    return dice.choice((
        {"workers": {"count": dice.randint(1, 8)}},
        {"workers": {"count": dice.randint(2, 4), "max_jobs": dice.randint(20, 200)}},
        {"limits": {"request_bytes": dice.randint(1, 4) * MIB, "response_bytes": MIB,
                    "requests_in_flight": dice.randint(5000, 10_000),
                    "in_flight_per_connection": dice.randint(1, 1000)}},
        {"listen": {"rpc": [*target.sections["listen"]["rpc"], f"unix:{target.folder}/more.sock"]}},
        {"fair": {"weights": {f"uid {os.getuid()}": dice.choice((0.25, 1, 8))}}},
        {"fair": {"by": "none"}},
        {"shutdown": {"grace_ms": dice.randint(1000, 20_000)}},
        {"upstreams": upstreams | {"users": upstreams["users"] | {"coalesce": True,
                                                                  "idempotent": True}}},
        {"upstreams": {name: its | {"connections": dice.randint(30, 60)}
                       for name, its in upstreams.items()}},
        {},
    ))  # fmt: skip


def bad_change(dice: random.Random, target: Target) -> dict[str, Any]:
    """Sections that must be refused, for one reason or another."""
    no_model = target.folder / "no_model.ubj"
    no_model.write_text("this is no model")
    broken = target.folder / "broken.py"
    broken.write_text(dice.choice(BROKEN))
    handlers = target.sections["handlers"]
    return dice.choice((
        {"workers": {"cuont": 2}},
        {"limits": {"payload_memory_bytes": "1MiB"}},
        {"handlers": handlers | {"echo": {"unknown": 1}}},
        {"handlers": handlers | {"interests": {"model": "no/such.ubj"}}},
        {"handlers": handlers | {"interests": {"model": no_model}}},
        {"handlers": handlers | {"python": {"python": f"{broken}:run"}}},
        {"listen": {"rpc": ["127.0.0.1:0", target.upstream_address]}},
    ))  # fmt: skip


class Reloads:
    """After run(): how many configurations were accepted, and how many refused."""

    def __init__(self, target: Target, load: Load, seed: int):
        self.taken_over = 0
        self.refused = 0
        self._target = target
        self._load = load
        self._dice = random.Random(seed)

    def run(self, count: int):
        """Every fourth configuration must be refused. Restores the first one at the end."""
        for number in range(count):
            if number % 4 == 3:
                self._must_be_refused()
            else:
                self._must_be_taken_over()
            self._load.wait_for_answers(50)
        last = self._target.reload()
        assert last.name == "reloaded", last

    def _must_be_refused(self):
        ended = self._target.reload(**bad_change(self._dice, self._target))
        assert ended.name == "reload_failed", ended
        self.refused += 1

    def _must_be_taken_over(self):
        name = f"added{self.taken_over}"
        sections = self._target.sections | good_change(self._dice, self._target)
        ended = self._target.reload(**sections | {
            "handlers": sections["handlers"] | {name: {"library": "echo"}},
            "methods": sections["methods"] | {name: {"steps": [{"run": name}]}},
        })  # fmt: skip
        assert ended.name == "reloaded", ended
        self._assert_in_effect(ended, name)
        self.taken_over += 1

    def _assert_in_effect(self, reloaded: Event, method: str):
        for address in reloaded.fields["address"].split(","):
            with Client(address) as client:
                assert client.call(method, [address]) == [address]
