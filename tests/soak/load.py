"""Load: clients that call without a pause, and count the answers.

Every request has its own id and a known answer. It must be answered exactly once, with that answer,
or with an error that its kind allows. Connections are pipelined. Together they ask for more than
the workers can do, so the server shares the workers' time among the clients.
"""

import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from client import Client
from proc import wait_until

DEPTH = 16  # unanswered requests of one connection
BATCH_ITEMS_MAX = 5
SMALL_BYTES, LARGE_BYTES = 200, 100_000


@dataclass
class Tally:
    """The results of all requests."""

    sent: int = 0
    answered: int = 0  # correctly, or with an allowed error
    lost: int = 0
    twice: int = 0
    wrong: int = 0
    errors: Counter = field(default_factory=Counter)  # allowed ones, by code
    complaints: list[str] = field(default_factory=list)

    def add(self, other: "Tally"):
        self.sent += other.sent
        self.answered += other.answered
        self.lost += other.lost
        self.twice += other.twice
        self.wrong += other.wrong
        self.errors += other.errors
        self.complaints += other.complaints

    def is_clean(self) -> bool:
        return self.sent == self.answered and not (self.lost or self.twice or self.wrong)


@dataclass(frozen=True)
class Kind:
    """A kind of request: draw(dice, id) returns params and the expected result."""

    method: str
    weight: int
    draw: Callable[[random.Random, str], tuple[Any, Any]]
    allowed: frozenset[int] = frozenset()  # codes of errors


def echo(dice: random.Random, id: str) -> tuple[Any, Any]:
    size = LARGE_BYTES if dice.random() < 0.01 else dice.randrange(SMALL_BYTES)
    params = {"id": id, "text": dice.choice("aé\\\"") * size}
    return params, params


def burn(dice: random.Random, id: str) -> tuple[Any, Any]:
    """The random number of microseconds identifies the result."""
    params = {"cpu_ms": dice.randrange(1000, 2000) / 1000}
    return params, params


def burn_long(dice: random.Random, id: str) -> tuple[Any, Any]:
    params = {"cpu_ms": dice.randrange(10_000, 30_000) / 1000}
    return params, params


def features(dice: random.Random, id: str) -> tuple[Any, Any]:
    params = {"user_id": 1 + dice.randrange(1_000_000), "id": id}
    return params, params


def interests(known: dict[int, Any]) -> Callable[[random.Random, str], tuple[Any, Any]]:
    """Requests for users whose interests are known from before the load."""
    users = sorted(known)

    def draw(dice: random.Random, id: str) -> tuple[Any, Any]:
        user = dice.choice(users)
        return {"user_id": user}, known[user]

    return draw


class Caller:
    """One connection and its thread."""

    def __init__(self, name: str, address: str, kinds: list[Kind], seed: int, source: str):
        self.tally = Tally()
        self._name = name
        self._client = Client(address, source)
        self._kinds = kinds
        self._dice = random.Random(f"{seed} {name}")
        self._pending: dict[str, tuple[Kind, Any]] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> Tally:
        """Waits until all sent requests are answered, or the connection has failed."""
        self._is_over.set()
        self._thread.join()
        self._client.close()
        return self.tally

    def end(self):
        self._is_over.set()

    def _run(self):
        try:
            while not self._is_over.is_set():
                self._send(DEPTH - len(self._pending))
                self._take_line(self._client.read())
            while self._pending:
                self._take_line(self._client.read())
            self._client.end_sending()
            for line in self._client.read_to_end():
                self._take_line(line)  # one answer too many
        except Exception as failure:  # noqa: BLE001
            self.tally.complaints.append(f"{self._name}: {failure}")
        self.tally.lost += len(self._pending)

    def _send(self, count: int):
        message = b""
        while count > 0:
            size = min(count, self._dice.randint(2, BATCH_ITEMS_MAX))
            batch = [self._make() for _ in range(size)] if self._dice.random() < 0.1 else None
            message += json.dumps(batch or self._make()).encode() + b"\n"
            count -= len(batch or [None])
        self._client.send(message)

    def _make(self) -> dict[str, Any]:
        kind = self._dice.choices(self._kinds, [kind.weight for kind in self._kinds])[0]
        id = f"{self._name}-{self.tally.sent}"
        params, expected = kind.draw(self._dice, id)
        self._pending[id] = (kind, expected)
        self.tally.sent += 1
        return {"jsonrpc": "2.0", "id": id, "method": kind.method, "params": params}

    def _take_line(self, line: bytes):
        answers = json.loads(line)
        for answer in answers if isinstance(answers, list) else [answers]:
            self._take(answer)

    def _take(self, answer: dict[str, Any]):
        kind, expected = self._pending.pop(answer["id"], (None, None))
        if kind is None:
            number = str(answer["id"]).removeprefix(f"{self._name}-")
            if number.isdigit() and int(number) < self.tally.sent:
                self.tally.twice += 1
            else:
                self.tally.wrong += 1
            self.tally.complaints.append(f"{self._name}: nobody asked: {json.dumps(answer)[:300]}")
        elif "error" in answer and answer["error"]["code"] in kind.allowed:
            self.tally.errors[answer["error"]["code"]] += 1
            self.tally.answered += 1
        elif "result" in answer and answer["result"] == expected:
            self.tally.answered += 1
        else:
            self.tally.wrong += 1
            self.tally.complaints.append(f"{kind.method}: {json.dumps(answer)[:300]}")


class Load:
    """`with Load(address, local, kinds, seed) as load:` calls until the end of the block; then
    load.tally is complete. `local`: the address of a unix socket."""

    def __init__(self, address: str, local: str, kinds: list[Kind], seed: int):
        self.tally = Tally()
        # Three clients, with one, three and two connections. The last is a unix user.
        sources = [(address, ""), *[(address, "127.0.0.2")] * 3, *[(local, "")] * 2]
        self._callers = [Caller(f"c{number}", at, kinds, seed, source)
                         for number, (at, source) in enumerate(sources)]  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for caller in self._callers:
            caller.end()
        for caller in self._callers:
            self.tally.add(caller.stop())

    def wait_for_answers(self, count: int):
        """Waits for so many more answers; fails as soon as a caller has found a fault."""
        wanted = self._answered() + count
        wait_until(lambda: self._answered() >= wanted or self._complaints(), f"{count} answers")
        self.check()

    def check(self):
        assert not self._complaints(), self._complaints()

    def _answered(self) -> int:
        return sum(caller.tally.answered for caller in self._callers)

    def _complaints(self) -> list[str]:
        return [complaint for caller in self._callers for complaint in caller.tally.complaints]
