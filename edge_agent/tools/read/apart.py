"""Reading in time: what may take very long or much has a process of its own.

A PDF of ten kilobytes can unpack to millions of drawing orders, a Word document to half a gigabyte
of tree, and no thread can be told to stop.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from dataclasses import asdict
from pathlib import Path

from edge_agent.errors import FetchError
from edge_agent.tools.base import Link
from edge_agent.tools.read.document import Extracted
from edge_agent.tools.read.extract import extract
from edge_agent.tools.read.media import DOCX_TYPE

EXTRACT_S = 90.0  # how long a document may take to become text
APART = frozenset({"application/pdf", DOCX_TYPE})  # types that are read here
LARGE_BYTES = 512 * 1024  # and whatever is larger: this much in one tag is nine seconds of lxml
MAX_MEMORY_BYTES = 3 * 2**30  # of address space, where the system keeps to that
_ROOT = Path(__file__).parents[3]


async def extract_in_time(
    data: bytes, media_type: str, charset: str, url: str, seconds: float = EXTRACT_S
) -> Extracted:
    """`extract` beside the event loop: in a thread, or in a process where it may take very long.

    Raises FetchError.
    """
    if is_heavy(data, media_type):
        return await extract_apart(data, media_type, charset, url, seconds)
    try:
        work = asyncio.to_thread(extract, data, media_type, charset, url)
        return await asyncio.wait_for(work, seconds)
    except asyncio.TimeoutError:
        raise _late(url, seconds) from None


def extract_here(
    data: bytes, media_type: str, charset: str, url: str, seconds: float = EXTRACT_S
) -> Extracted:
    """The same for a thread without an event loop. Raises FetchError."""
    if is_heavy(data, media_type):
        return asyncio.run(extract_apart(data, media_type, charset, url, seconds))
    return extract(data, media_type, charset, url)


def is_heavy(data: bytes, media_type: str) -> bool:
    """Whether a document may take longer or more memory than anyone waits for."""
    return media_type in APART or len(data) > LARGE_BYTES


async def extract_apart(
    data: bytes, media_type: str, charset: str, url: str, seconds: float
) -> Extracted:
    """`extract`, stopped after `seconds` or when the caller is cancelled. Raises FetchError."""
    head = json.dumps({"media_type": media_type, "charset": charset, "url": url})
    paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, str(int(seconds) + 1)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    try:
        told = process.communicate(head.encode() + b"\n" + data)
        out, _ = await asyncio.wait_for(told, seconds)
    except asyncio.TimeoutError:
        raise _late(url, seconds) from None
    finally:
        if process.returncode is None:
            process.kill()
        if process.stdout is not None:
            await process.stdout.read()  # a pipe is closed only at its end
        await process.wait()
    return _read(out, url)


def _late(url: str, seconds: float) -> FetchError:
    message = f"{url} took more than {seconds:g} seconds to turn into text."
    return FetchError(message, url, "timeout")


def _read(out: bytes, url: str) -> Extracted:
    try:
        told = json.loads(out)
    except ValueError:
        message = f"{url} cannot be read: it takes more memory or time than there is for it."
        raise FetchError(message, url, "too_large") from None
    if "error" in told:
        raise FetchError(told["error"], url, told["kind"])
    told["links"] = tuple(Link(**link) for link in told["links"])
    return Extracted(**told)


def main() -> None:
    """The process: a line of JSON and a document on stdin, a document as JSON on stdout."""
    seconds = int(sys.argv[1])
    for what, most in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, MAX_MEMORY_BYTES)):
        try:
            resource.setrlimit(what, (most, most))
        except (OSError, ValueError):
            continue  # a system that does not know it, or has less already
    head, _, data = sys.stdin.buffer.read().partition(b"\n")
    told = json.loads(head)
    try:
        found = asdict(extract(data, told["media_type"], told["charset"], told["url"]))
    except FetchError as error:
        found = {"error": str(error), "kind": error.kind}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
