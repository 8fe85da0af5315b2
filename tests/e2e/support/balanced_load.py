"""balanced_load.py CALLERS CALLS METHOD ADDRESS...: calls METHOD through balanced_client.py.

Each call has the next number as {"number": N}. CALLERS calls are in flight at a time, CALLS in all;
0: until SIGTERM. SIGHUP closes the client. Prints each call's outcome as a line of JSON. Ends only
if the client leaves nothing behind. balanced_load.mjs does the same.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "docs/examples"))

from balanced_client import BalancedClient  # noqa: E402


async def main(callers: str, calls: str, method: str, *addresses: str):
    client = BalancedClient(list(addresses))
    numbers = iter(range(1, int(calls) + 1 if int(calls) else sys.maxsize))
    is_over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, is_over.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: loop.create_task(client.close()))

    async def run():
        while not is_over.is_set() and (number := next(numbers, None)):
            try:
                outcome = {"result": await client.call(method, {"number": number})}
            except Exception as error:
                outcome = {"error": str(error), "data": getattr(error, "data", None)}
            print(json.dumps({"number": number} | outcome), flush=True)

    await asyncio.gather(*(run() for _ in range(int(callers))))
    await client.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


asyncio.run(main(*sys.argv[1:]))
