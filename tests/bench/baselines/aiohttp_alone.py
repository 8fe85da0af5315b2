"""aiohttp_alone: one process, which does the CPU work in its event loop. --workers is ignored."""

from typing import Any

import front
import work


class InTheLoop:
    async def start(self) -> None:
        pass

    async def run(self, name: str, params: Any, body: bytes | None) -> str:
        return work.METHODS[name].run(params, body)

    async def stop(self) -> None:
        pass


if __name__ == "__main__":
    options = front.arguments(__doc__).parse_args()
    work.load(options.model)
    front.serve(options, InTheLoop())
