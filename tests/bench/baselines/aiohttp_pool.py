"""aiohttp_pool: an aiohttp process, and a ProcessPoolExecutor of --workers for the CPU work."""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import front
import rpc
import work


def compute(name: str, params: Any, body: bytes | None) -> str:
    return work.METHODS[name].run(params, body)


class InPool:
    def __init__(self, workers: int, model: str):
        self.workers = workers
        self.model = model

    def new_pool(self) -> ProcessPoolExecutor:
        # Not by fork: when a broken pool is replaced, this process has threads.
        return ProcessPoolExecutor(
            self.workers, multiprocessing.get_context("forkserver"), work.load, (self.model,)
        )

    async def start(self) -> None:
        self.pool = self.new_pool()
        # The first tasks start the pool's processes: here, before any request.
        await asyncio.gather(*(self.run("burn", {"cpu_ms": 1}, None) for _ in range(self.workers)))

    async def run(self, name: str, params: Any, body: bytes | None) -> str:
        pool = self.pool
        try:
            return await asyncio.get_running_loop().run_in_executor(
                pool, compute, name, params, body
            )
        except BrokenProcessPool:
            # All jobs of the broken pool fail; the first one that fails makes a new pool.
            if self.pool is pool:
                self.pool = self.new_pool()
            raise rpc.RpcError(rpc.WORKER_DIED, "a worker died") from None

    async def stop(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)


if __name__ == "__main__":
    options = front.arguments(__doc__).parse_args()
    front.serve(options, InPool(options.workers, options.model))
