"""Starts servers of runs that can be killed: each line on stdin is one, `FOLDER N_NEW_RUNS`.

Each is a process of its own, forked before anything was opened; its id is printed, and when it has
ended how it did. It goes on with what was cut off, begins its new runs, and ends when all have.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from pathlib import Path

from edge_agent.agent.records import Limits, Task

from .endless import endless_service


async def work(folder: Path, n_new: int) -> None:
    """Recover, begin, and wait for the end of everything."""
    service = endless_service(folder)
    begun = service.recover()
    for _ in range(n_new):
        task = Task(f"What is {uuid.uuid4().hex}?", limits=Limits(steps=40, seconds=600))
        begun.append(service.submit(task).id)
    for run_id in begun:
        async for _ in service.book.events(run_id):
            pass
    await service.close()


def main() -> None:
    for line in sys.stdin:
        folder, n_new = line.split()
        child = os.fork()
        if not child:
            asyncio.run(work(Path(folder), int(n_new)))
            os._exit(0)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
