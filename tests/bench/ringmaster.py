"""ringmaster itself as a Contender, with the methods that the baselines have."""

from pathlib import Path

from contender import MODEL, Contender
from server import Launcher

FETCH = {"fetch": "users", "body": {"user_id": "$params.user_id"}}
STEPS = {
    "echo": [{"run": "echo"}],
    "burn": [{"run": "burn"}],
    "fetch_burn": [FETCH, {"run": "burn"}],
    "interests.predict": [FETCH, {"run": "interests"}],
}
# A payload of 16 MiB, and what is around it.
MESSAGE_BYTES_MAX = "32MiB"


def start(features_url: str, build: Path, workers: int = 2, timeout_ms: int = 1000) -> Contender:
    """Ready to serve; its configuration and its log are build/bench/ringmaster.*. The defaults,
    but for what the arguments say and for large payloads."""
    folder = build.resolve() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    launcher = Launcher(build.resolve(), folder)
    server = launcher(
        name="ringmaster",
        workers={"count": workers},
        limits={"request_bytes": MESSAGE_BYTES_MAX, "response_bytes": MESSAGE_BYTES_MAX},
        features={"users": {"url": features_url}},
        handlers={"echo": {}, "burn": {}, "interests": {"model": MODEL}},
        methods={name: {"timeout_ms": timeout_ms, "steps": steps} for name, steps in STEPS.items()},
    )
    return Contender("ringmaster", server.address, [server.process], on_stop=launcher.finish)
