"""ringmaster itself as a Contender, with the methods that the baselines have."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contender import MODEL, Contender
from server import Launcher, Server

FETCH = {"fetch": "users", "body": {"user_id": "${params.user_id}"}}
STEPS = {
    "echo": [{"run": "echo"}],
    "burn": [{"run": "burn"}],
    "fetch_burn": [FETCH, {"run": "burn"}],
    "interests.predict": [FETCH, {"run": "interests"}],
}
# Enough for a payload of 16 MiB, and for the message around it.
MESSAGE_BYTES_MAX = "32MiB"
# Enough for the scenario `idle`, and some more.
CONNECTIONS = 12_000
# More than ringmaster can keep busy, so that this limit does not bound what is measured. The other
# systems have 256, which do not bound them: they never have more than 256 requests under way.
UPSTREAM_CONNECTIONS = 2048


@dataclass
class Ringmaster(Contender):
    server: Server | None = None  # its log, its workers


def start(features_url: str, build: Path, workers: int = 2, timeout_ms: int = 1000,
          folder: Path | None = None, name: str = "ringmaster",
          handlers: dict[str, Any] | None = None, spare: bool = False,
          **sections: dict[str, Any]) -> Ringmaster:  # fmt: skip
    """Starts a server that is ready to serve. Its configuration and its log are `folder`/`name`.*
    (`folder`: by default BUILD/bench). All options have their defaults, except for those that the
    arguments set, the limits of messages and connections, and the model's batch, which is the
    demo's (conf/ringmaster.toml).
    `handlers`: further ones, each with a method of its name. `sections`: further sections of the
    configuration; `methods` among them may have single keys for a method that is there already."""
    folder = folder or build.resolve() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    launcher = Launcher(build.resolve(), folder)
    more = sections.pop("methods", {})
    further = handlers or {}
    steps = STEPS | {handler: [{"run": handler}] for handler in further}
    methods = {name: {"timeout_ms": timeout_ms, "steps": each} for name, each in steps.items()}
    for method, keys in more.items():
        methods[method] = methods.get(method, {"timeout_ms": timeout_ms}) | keys
    server = launcher(
        name=name,
        workers={"count": workers} | ({"spare": True} if spare else {}),
        limits={"request_bytes": MESSAGE_BYTES_MAX, "response_bytes": MESSAGE_BYTES_MAX,
                "connections": CONNECTIONS},
        upstreams={"users": {"url": features_url, "connections": UPSTREAM_CONNECTIONS}} |
        sections.pop("upstreams", {}),
        handlers={"echo": {}, "burn": {}, "interests": {"model": MODEL, "batch": 64}} | further,
        methods=methods,
        **sections,
    )
    return Ringmaster("ringmaster", server.address, [server.process], on_stop=launcher.finish,
                      server=server)
