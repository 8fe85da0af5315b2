"""Functions that ringmaster and the Python baselines serve unchanged, for scenarios/python.py.

Ringmaster serves them as handlers, the baselines through work.py. Only ringmaster serves Model.
"""

import os
import time

import numpy

PAGE_BYTES = 4096


def noop(number: int) -> int:
    return number


def spin(cpu_ms: int) -> int:
    """Uses `cpu_ms` of CPU time in its thread."""
    end = time.thread_time() + cpu_ms / 1000
    while time.thread_time() < end:
        pass
    return cpu_ms


def count(user_id: int, events: list) -> list:
    return [user_id, len(events)]


def count_bytes(user_id: int, events: memoryview) -> list:
    return [user_id, len(events)]


class Model:
    """A model in NumPy's memory, read from the file `model`."""

    def __init__(self, options):
        self.weights = numpy.fromfile(options["model"], numpy.uint8)

    def run(self) -> int:
        """Reads a byte of each page. Returns the pid of the worker."""
        self.weights[::PAGE_BYTES].sum()
        return os.getpid()
