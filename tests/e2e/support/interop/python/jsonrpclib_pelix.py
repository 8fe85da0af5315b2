"""jsonrpclib_pelix.py TRANSPORT ADDRESS SOCKET FOLDER: see ../matrix.py."""

import sys
from concurrent.futures import ThreadPoolExecutor

import jsonrpclib
from checks import CONCURRENT, LARGE, TEXT, UNKNOWN, expect, marked, run

_, _, address, socket_path, folder = sys.argv
server = jsonrpclib.ServerProxy(f"http://{address}")


def call():
    expect(["hello", 5], server.hello())


def positional():
    expect([1, "two", None], server.echo(1, "two", None))


def named():
    expect({"one": 1, "two": [True]}, server.echo(one=1, two=[True]))


def error():
    try:
        server.unknown(1)
    except jsonrpclib.ProtocolError as failure:
        expect(UNKNOWN, failure.args[0][:2])
    else:
        raise AssertionError("expected a ProtocolError")


def notification():
    server._notify.hold(**marked(folder))
    expect(["after"], server.echo("after"))


def batch():
    calls = jsonrpclib.MultiCall(server)
    calls.burn(20)
    calls.echo("second")
    calls._notify.echo("unanswered")
    calls.unknown()
    answers = calls()
    expect([{"cpu_ms": 20}, ["second"]], [answers[0], answers[1]])
    try:
        answers[2]
    except jsonrpclib.ProtocolError as failure:
        expect(UNKNOWN, failure.args[0][:2])
    else:
        raise AssertionError("expected a ProtocolError")


def large():
    expect([LARGE], server.echo(LARGE))


def text():
    expect([TEXT], server.echo(TEXT))


def concurrent():
    """A connection for each call, since a ServerProxy serves one thread only."""

    def ask(number):
        return jsonrpclib.ServerProxy(f"http://{address}").echo(number)

    with ThreadPoolExecutor(CONCURRENT) as pool:
        expect([[number] for number in range(CONCURRENT)], list(pool.map(ask, range(CONCURRENT))))


def unix():
    expect(["hello", 5], jsonrpclib.ServerProxy(f"unix+http://{socket_path}").hello())


run(call, positional, named, error, notification, batch, large, text, concurrent, unix)
