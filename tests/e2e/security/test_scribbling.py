"""A handler that overwrites any of the shared words: the master detects it, replaces the
generation, and answers every request."""

import struct
from pathlib import Path

import pytest
from client import request
from scribbling import (
    BELL, CLAIMED, ENTRIES, ENTRY_COUNT, SLOTS, WORDS, WORDS_OF_ONE, WORKERS, word,
)  # fmt: skip
from server import Gate, Server

pytestmark = pytest.mark.timeout(180)  # the first case starts a server for each

# The memory, offset, bytes (hex) and number of a handler's writes; and the error that they cause.
# "{other}": the slot of the worker that has a job in hand.
DAMAGES = {
    "everything": ("control", 0, "ff", ENTRIES + 8 * ENTRY_COUNT, "ring entry 0: 0xffff"),
    "zeroes": ("control", 0, "00", ENTRIES + 8 * ENTRY_COUNT, "no word names job"),
    "the ring's unused entries": ("control", ENTRIES + 8 * 100, "41", 8, "ring entry 100"),
    "a job that is not": ("control", ENTRIES + 800, word(CLAIMED, 0, 99, 1), 1, "ring entry 100"),
    "a worker that is not": ("control", ENTRIES + 800, word(CLAIMED, SLOTS, 0, 1), 1, "ring entry"),
    "running words erased": ("control", WORDS, "00", WORDS_OF_ONE * SLOTS, "no word names job"),
    "running words": ("control", WORDS, "41", WORDS_OF_ONE * SLOTS, "worker 0"),
    "a running word of no worker": (
        "control", WORDS + 5 * WORDS_OF_ONE, word(CLAIMED, 5, 0, 1), 1, "running word of worker 5"),
    "a bell of no worker": (
        "control", WORDS + 5 * WORDS_OF_ONE + BELL, "01000000", 1, "the bell of worker 5"),
    "another's running word": ("control", "{other}", "c3", 8, "running word of worker {other}"),
    "another's bell": ("control", "{other}+bell", "07", 4, "the bell of worker {other}"),
    "the results' tail": ("results", 0, "ff", 8, "damaged results: tail"),
    "a result that was never asked for": (
        "results", 0, (struct.pack("<Q120x", 32) + struct.pack("<IIIi16x", 0, 99, 1, 0)).hex(), 1,
        "a result of a job that no worker has",
    ),
}  # fmt: skip


class Damage:
    """A server whose handler has overwritten shared words. Earlier requests wait for answers."""

    def __init__(self, running: Server, what: str, folder: Path):
        memory, offset, hex, times, self.error = DAMAGES[what]
        self.running = running
        self.held = Gate(folder / f"{what} held")
        self.client = running.connect()
        [holder] = self.held.hold(self.client, "held")
        other = next(slot for slot, pid in running.workers().items() if pid == holder)
        self.error = self.error.format(other=other)
        if isinstance(offset, str):
            offset = WORDS + WORDS_OF_ONE * other + (BELL if offset.endswith("bell") else 0)
        scribbler = Gate(folder / f"{what} scribbler")
        self.client.send(scribbler.request(
            "bad", "scribbles", memory=f"ringmaster-{memory}", offset=offset, hex=hex, times=times
        ))  # fmt: skip
        scribbler.wait_for_runs(1)
        # These requests wait for a worker once the request after them is answered.
        self.client.send(b"".join(request("echo", [id], id) for id in range(3)))
        self.client.send(request("no_such_method", [], "after"))
        assert self.client.answer()["id"] == "after"
        self.before = len(running.lines)
        scribbler.open()


@pytest.fixture(scope="module")
def damages(module_server, probe, scribbles, tmp_path_factory):
    """what -> Damage. The master looks at the words of the control memory once a second: a server
    for each damage lets these seconds pass at the same time."""
    handlers = {"echo": {}, "hold": probe("hold"), "scribbles": scribbles}
    methods = {"echo": {"attempts": 10}, "hold": {"attempts": 10}, "scribbles": {"attempts": 1}}
    folder, made = tmp_path_factory.mktemp("gates"), {}
    for what in DAMAGES:
        running = module_server(name=what, workers={"count": WORKERS}, handlers=handlers,
                                methods=methods)
        made[what] = Damage(running, what, folder)
    yield made
    for damage in made.values():
        damage.held.open()


@pytest.mark.parametrize("what", DAMAGES)
def test_damage_is_found_and_costs_no_other_request(damages, what):
    damage, running = damages[what], damages[what].running
    found = running.wait_for_line(r"event=memory_damaged gen=1 error=(.*)", damage.before).group(1)
    assert damage.error in found
    for slot in range(WORKERS):
        running.wait_for_line(rf"event=worker_ready worker={slot} gen=2 ", damage.before)
    damage.held.open()
    answers = damage.client.answers(5)
    assert answers.pop("bad")["error"]["code"] == -32014
    assert answers.pop("held")["result"] == damage.held.params()
    assert all(answers[id]["result"] == [id] for id in range(3))
    assert running.call("echo", ["again"]) == ["again"]
    assert not [line for line in running.lines if "gen=3" in line]
