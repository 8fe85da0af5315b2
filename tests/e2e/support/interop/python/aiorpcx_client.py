"""aiorpcx_client.py TRANSPORT ADDRESS SOCKET FOLDER: see ../matrix.py. All checks use one
connection."""

import asyncio
import sys

import aiorpcx
from checks import CONCURRENT, LARGE, TEXT, UNKNOWN, expect, marked, say

_, _, address, _, folder = sys.argv


async def call(session):
    expect(["hello", 5], await session.send_request("hello"))


async def positional(session):
    expect([1, "two", None], await session.send_request("echo", [1, "two", None]))


async def named(session):
    expect({"one": 1, "two": [True]}, await session.send_request("echo", {"one": 1, "two": [True]}))


async def error(session):
    try:
        await session.send_request("unknown", [1])
    except aiorpcx.RPCError as failure:
        expect(UNKNOWN, (failure.code, failure.message))
    else:
        raise AssertionError("expected an RPCError")


async def notification(session):
    await session.send_notification("hold", marked(folder))
    expect(["after"], await session.send_request("echo", ["after"]))


async def batch(session):
    async with session.send_batch() as calls:
        calls.add_request("burn", [20])
        calls.add_request("echo", ["second"])
        calls.add_notification("echo", ["unanswered"])
        calls.add_request("unknown", [])
    slow, fast, unknown = calls.results
    expect([{"cpu_ms": 20}, ["second"]], [slow, fast])
    expect(UNKNOWN, (unknown.code, unknown.message))


async def large(session):
    expect([LARGE], await session.send_request("echo", [LARGE]))


async def text(session):
    expect([TEXT], await session.send_request("echo", [TEXT]))


async def concurrent(session):
    answers = [session.send_request("echo", [number]) for number in range(CONCURRENT)]
    expect([[number] for number in range(CONCURRENT)], await asyncio.gather(*answers))


async def main():
    host, _, port = address.rpartition(":")
    framer = aiorpcx.NewlineFramer(max_size=0)  # the default drops answers of more than 1 MB
    async with aiorpcx.connect_rs(host, int(port), framer=framer) as session:
        for check in (call, positional, named, error, notification, batch, large, text,
                      concurrent):
            try:
                await check(session)
                say(check.__name__)
            except Exception as failure:
                say(check.__name__, failure)


asyncio.run(main())
