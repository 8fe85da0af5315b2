"""pylsp_jsonrpc_client.py TRANSPORT ADDRESS SOCKET FOLDER: see ../matrix.py. Uses the library's
endpoint over a socket, without methods of its own."""

import socket
import sys
import threading

from checks import CONCURRENT, LARGE, TEXT, UNKNOWN, expect, marked, run
from pylsp_jsonrpc.endpoint import Endpoint
from pylsp_jsonrpc.exceptions import JsonRpcException
from pylsp_jsonrpc.streams import JsonRpcStreamReader, JsonRpcStreamWriter

DEADLINE_S = 20

_, _, address, socket_path, folder = sys.argv


class Connection:
    def __init__(self, connected: socket.socket):
        # The handler `hold` decodes no escapes in a path.
        writer = JsonRpcStreamWriter(connected.makefile("wb"), escape_forward_slashes=False)
        self.endpoint = Endpoint({}, writer.write)
        reader = JsonRpcStreamReader(connected.makefile("rb"))
        threading.Thread(target=reader.listen, args=[self.endpoint.consume], daemon=True).start()

    def request(self, method, params=None):
        return self.endpoint.request(method, params).result(DEADLINE_S)


host, _, port = address.rpartition(":")
server = Connection(socket.create_connection((host, int(port))))


def call():
    expect(["hello", 5], server.request("hello"))


def positional():
    expect([1, "two", None], server.request("echo", [1, "two", None]))


def named():
    expect({"one": 1, "two": [True]}, server.request("echo", {"one": 1, "two": [True]}))


def error():
    try:
        server.request("unknown", [1])
    except JsonRpcException as failure:
        expect(UNKNOWN, (failure.code, failure.message))
    else:
        raise AssertionError("expected a JsonRpcException")


def notification():
    server.endpoint.notify("hold", marked(folder))
    expect(["after"], server.request("echo", ["after"]))


def large():
    expect([LARGE], server.request("echo", [LARGE]))


def text():
    expect([TEXT], server.request("echo", [TEXT]))


def concurrent():
    answers = [server.endpoint.request("echo", [number]) for number in range(CONCURRENT)]
    expect([[number] for number in range(CONCURRENT)],
           [answer.result(DEADLINE_S) for answer in answers])


def unix():
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(socket_path)
    expect(["hello", 5], Connection(connected).request("hello"))


run(call, positional, named, error, notification, large, text, concurrent, unix)
