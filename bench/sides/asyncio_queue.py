"""The same bounded queue in Python: 50 consumers of an asyncio.Queue."""

import asyncio
import json
import sys
import time


async def main(tasks: int, seconds: float, in_flight: int) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=in_flight)

    async def consume() -> None:
        while True:
            await queue.get()
            await asyncio.sleep(seconds)
            queue.task_done()

    started_at = time.perf_counter()
    consumers = [asyncio.create_task(consume()) for _ in range(in_flight)]
    for number in range(tasks):
        await queue.put(number)
    await queue.join()
    print(json.dumps({"wallSeconds": time.perf_counter() - started_at}))
    for consumer in consumers:
        consumer.cancel()


options = json.loads(sys.argv[1])
asyncio.run(main(options["tasks"], options["seconds"], options["inFlight"]))
