"""CLIENTS: the tested clients, and what each of them can do. Run as a program it prints the table
of docs/clients.md.

Each client has a program in this folder, which calls the server as a user of that library would:
PROGRAM TRANSPORT ADDRESS SOCKET FOLDER. ADDRESS is the server's HOST:PORT, SOCKET the path of its
unix socket. The program prints one line for each check: "NAME ok" or "NAME failed: WHY". It runs
every check that the client has a way to do; only this file says what a client lacks.

The method `hold` takes a PATH and notes in PATH.started that it was called. It returns at once for
FOLDER/open, and not before the test is over for FOLDER/closed.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

# name -> its heading in the table
CHECKS = {
    "call": "call",
    "positional": "positional",
    "named": "named",
    "error": "error",  # code and message arrive as the client's own kind of failure
    "notification": "notification",  # the server runs it, and answers the next call as usual
    "batch": "batch",  # the first of its calls takes longest, the last one fails
    "large": "1 MiB",  # params and result of that size
    "text": "non-ASCII",  # characters of up to four bytes; quotes, control characters
    "concurrent": "100 at once",
    "cancel": "cancel",  # the client gives up a call, and tells the server so
    "unix": "unix socket",
}

FOLDER = Path(__file__).resolve().parent
NO_BATCH = "it has no batches"
NO_CANCEL = "it has no cancellation of its own"
NO_UNIX = "it connects to a host and a port only"


@dataclass(frozen=True)
class Client:
    name: str
    package: str
    framing: str
    program: str  # a file of this folder
    transport: str  # the program's argument TRANSPORT
    lacks: dict[str, str] = field(default_factory=dict)  # check -> why

    @property
    def id(self) -> str:
        return f"{Path(self.program).stem}-{self.transport}"


GO, CPP = "golang-github-sourcegraph-jsonrpc2-dev", "libjsonrpccpp-dev"
CLIENTS = [
    Client("aiorpcx", "python3-aiorpcx", "lines", "python/aiorpcx_client.py", "tcp",
           {"cancel": NO_CANCEL, "unix": NO_UNIX}),
    Client("jsonrpclib-pelix", "python3-jsonrpclib-pelix", "HTTP", "python/jsonrpclib_pelix.py",
           "http", {"cancel": NO_CANCEL}),
    Client("pylsp-jsonrpc", "python3-pylsp-jsonrpc", "Content-Length",
           "python/pylsp_jsonrpc_client.py", "tcp",
           {"batch": NO_BATCH, "cancel": "it stops reading at the answer to a cancelled call"}),
    Client("jayson", "npm jayson", "lines", "node/jayson_client.js", "tcp",
           {"cancel": NO_CANCEL}),
    Client("jayson", "npm jayson", "HTTP", "node/jayson_client.js", "http",
           {"cancel": NO_CANCEL}),
    Client("vscode-jsonrpc", "npm vscode-jsonrpc", "Content-Length",
           "node/vscode_jsonrpc_client.js", "tcp", {"batch": NO_BATCH}),
    Client("@open-rpc/client-js", "npm @open-rpc/client-js", "HTTP", "node/open_rpc_client.js",
           "http", {"cancel": NO_CANCEL, "unix": NO_UNIX}),
    Client("Go net/rpc/jsonrpc", "golang-go", "JSON values, 1.0", "go/net_rpc.go", "tcp",
           {"notification": "it has no notifications", "batch": NO_BATCH, "cancel": NO_CANCEL}),
    Client("Go jsonrpc2, plain codec", GO, "JSON values", "go/sourcegraph.go", "plain",
           {"batch": NO_BATCH, "cancel": NO_CANCEL}),
    Client("Go jsonrpc2, VSCode codec", GO, "Content-Length", "go/sourcegraph.go", "vscode",
           {"batch": NO_BATCH, "cancel": NO_CANCEL}),
    Client("libjsonrpccpp", CPP, "HTTP", "cpp/libjsonrpccpp.cc", "http",
           {"cancel": NO_CANCEL, "unix": NO_UNIX}),
    Client("libjsonrpccpp, unix socket", CPP, "lines", "cpp/libjsonrpccpp.cc", "unix",
           {"notification": "it waits for an answer, which a notification does not get",
            "cancel": NO_CANCEL}),
    Client("curl", "curl", "HTTP", "curl.sh", "http", {"cancel": NO_CANCEL}),
    Client("wrk", "wrk", "HTTP", "wrk.sh", "http", {"cancel": NO_CANCEL, "unix": NO_UNIX}),
]


def _package(client: Client) -> str:
    """The package as a user would install it; an npm package with the version that is tested."""
    manager, _, name = client.package.rpartition(" ")
    if not manager:
        return f"`{name}`"
    wanted = json.loads((FOLDER / "node/package.json").read_text())["dependencies"]
    return f"{manager} `{name}@{wanted[name]}`"


def table() -> str:
    """The clients and their checks, as Markdown."""
    reasons = list(dict.fromkeys(why for client in CLIENTS for why in client.lacks.values()))
    cell = lambda why: f"({reasons.index(why) + 1})" if why else "yes"  # noqa: E731
    rows = [["client", "package", "framing", *CHECKS.values()]]
    rows += [["---"] * len(rows[0])]
    rows += [[client.name, _package(client), client.framing,
              *(cell(client.lacks.get(check)) for check in CHECKS)] for client in CLIENTS]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    missing = [f"({number}) {why}" for number, why in enumerate(reasons, 1)]
    return "\n".join(lines) + "\n\n" + ";\n".join(missing) + ".\n"


if __name__ == "__main__":
    print(table(), end="")
