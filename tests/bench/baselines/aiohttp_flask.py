"""The I/O half of aiohttp_flask: fetches, then asks the CPU service (flask_cpu.py) at --cpu-url."""

from typing import Any

import aiohttp
import front
import rpc
import ujson
import work


class OverHttp:
    def __init__(self, url: str):
        self.url = url

    async def start(self) -> None:
        # Requests wait in the CPU service's backlog for a free worker, until their deadlines.
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=front.KEEP_ALIVE_S),
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def run(self, name: str, params: Any, body: bytes | None) -> str:
        headers, text = dict(front.JSON), rpc.dumps(params)
        if work.METHODS[name].does_fetch:
            headers["X-Params"] = text
        data = text.encode() if body is None else body
        try:
            async with self.session.post(f"{self.url}/{name}", data=data, headers=headers) as told:
                answer = await told.read()
        except aiohttp.ClientError as error:
            raise rpc.RpcError(rpc.WORKER_DIED, f"CPU service: {error}") from None
        if told.status == 200:
            return answer.decode()
        if told.status == 422:
            raise rpc.RpcError(**ujson.loads(answer))
        raise rpc.RpcError(rpc.WORKER_DIED, f"CPU service: status {told.status}")

    async def stop(self) -> None:
        await self.session.close()


if __name__ == "__main__":
    parser = front.arguments(__doc__)
    parser.add_argument("--cpu-url", required=True)
    options = parser.parse_args()
    front.serve(options, OverHttp(options.cpu_url))
