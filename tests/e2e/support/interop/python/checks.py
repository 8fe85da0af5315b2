"""Shared by the programs in Python: the values that they send, and run(), which runs the checks."""

import json
from collections.abc import Callable
from pathlib import Path

TEXT = 'Grüße, 世界, 😀, \u2028 "\\\n\x01'
LARGE = "0123456789abcdef" * (1 << 16)  # 1 MiB
CONCURRENT = 100
UNKNOWN = (-32601, "there is no method unknown")


def marked(folder: str) -> dict[str, str]:
    """Params for `hold`, which notes that it was called and returns at once."""
    return {"gate": str(Path(folder) / "open")}


def expect(wanted, found):
    if wanted != found:
        shown = json.dumps(found, default=repr)[:200]
        raise AssertionError(f"expected {json.dumps(wanted)[:200]}, found {shown}")


def say(check: str, failure: BaseException | None = None):
    why = f"failed: {type(failure).__name__}: {failure}" if failure else "ok"
    print(check, why.replace("\n", " "), flush=True)


def run(*checks: Callable[[], None]):
    """Runs the checks one after the other, and prints the result of each."""
    for check in checks:
        try:
            check()
            say(check.__name__)
        except Exception as failure:
            say(check.__name__, failure)
