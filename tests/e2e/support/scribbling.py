"""A handler that overwrites shared words, and the offsets of these words."""

import struct

import pytest
from server import HANDLERS, compile_handler

# As src/ipc/layout.h has it: a head, the workers' words, the ring's entries.
WORKERS = 2
SLOTS = WORKERS + 32
WORDS = 128
BELL = 8 * 64  # in a worker's words, behind the running words
WORDS_OF_ONE = BELL + 64
ENTRIES = WORDS + WORDS_OF_ONE * SLOTS
ENTRY_COUNT = 512


def word(state: int, worker: int, job: int, sequence: int) -> str:
    return struct.pack("<Q", state << 62 | worker << 52 | job << 32 | sequence).hex()


CLAIMED = 2
ASLEEP = "02000000"  # the bell of a worker that sleeps


@pytest.fixture(scope="session")
def scribbles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handlers")
    return {"library": compile_handler(folder / "scribbles.so", HANDLERS / "scribbles.c")}
