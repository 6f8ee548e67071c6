"""`edge-agent fetch`: a document as the agent sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_agent.agent.refine.passages import Passage, split
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.agent.refine.selection import select
from edge_agent.cli.browsing import open_browsing
from edge_agent.cli.options import AsJson, Libraries
from edge_agent.cli.reach import reach_of
from edge_agent.cli.terminal import print_json, run_async, settings_of
from edge_agent.config import Settings
from edge_agent.errors import FetchError
from edge_agent.tools.base import Fetcher, Page
from edge_agent.tools.browse.paging import PAGE_CHARS, Part, part, split_number
from edge_agent.tools.browse.web_pages import WebPages
from edge_agent.tools.library.kind import AnyLibrary
from edge_agent.tools.library.library import SCHEME
from edge_agent.tools.read.apart import extract_in_time
from edge_agent.tools.read.charset import charset_of
from edge_agent.tools.read.media import media_type_of, suffix_type
from edge_agent.tools.untrusted.marks import marked

MAX_FILE_BYTES = 64 * 2**20
GAP = "\n\n"
KEPT_CHARS = PAGE_CHARS  # of a long document, when a purpose says what to look for


def fetch(
    address: Annotated[str, typer.Argument(metavar="URL|FILE", help="What to read.")],
    purpose: Annotated[
        str, typer.Option("--purpose", help="Of a long document, keep what speaks to this.")
    ] = "",
    page: Annotated[
        int | None, typer.Option("--page", min=1, help="The page of a long document to show.")
    ] = None,
    as_json: AsJson = False,
    library: Libraries = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", help="A host reached even on this machine or network."),
    ] = None,
) -> None:
    """Read a web page, a document of a library or a file, and print it as the agent sees it."""
    settings = settings_of()

    async def work() -> tuple[Page, Part]:
        where, named = split_number(address)
        read = await _read(settings, where, library or [], allow_host or [])
        kept = _for_purpose(read, purpose)
        shown = part(kept, page or named or 1, read.url)
        return read, replace(shown, text=marked(shown.text))

    read, shown = run_async(work)
    if as_json:
        print_json(_as_json(read, shown))
        return
    print(f"# {read.title}\n{read.url}\n")
    print(shown.text.encode("utf-8", "replace").decode())
    if shown.count > 1:
        print(f"\n(page {shown.number} of {shown.count})")


async def _read(
    settings: Settings, address: str, libraries: list[str], allow_hosts: list[str]
) -> Page:
    file = Path(address).expanduser()
    if "://" not in address and file.exists():
        return await _file(file)
    url = address if "://" in address else f"https://{address}"
    reached = reach_of(settings, libraries, []).libraries
    try:
        if url.startswith(SCHEME):
            return await _of_library(reached, url)
        for library in reached.values():
            if await library.holds(url):  # the agent reads it there too
                return await library.fetch(url)
    finally:
        for library in reached.values():
            library.close()
    async with open_browsing(settings, allow_hosts) as browsing:
        pages: Fetcher = WebPages(browsing.web, browsing.visits, browsing.renderer)
        return await pages.fetch(url)


async def _of_library(libraries: Mapping[str, AnyLibrary], url: str) -> Page:
    name = url.removeprefix(SCHEME).partition("/")[0]
    if name not in libraries:
        known = ", ".join(sorted(libraries)) or "none"
        raise FetchError(f"There is no library {name!r}; there is: {known}.", url, "invalid")
    return await libraries[name].fetch(url)


async def _file(file: Path) -> Page:
    """Raises FetchError."""
    url = file.resolve().as_uri()
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            limit = f"{MAX_FILE_BYTES // 2**20} MiB"
            raise FetchError(f"{file} is larger than {limit}: it is not read.", url, "too_large")
        data = file.read_bytes()
    except OSError as error:
        raise FetchError(f"{file} cannot be read: {error.strerror}.", url, "invalid") from None
    media_type = media_type_of(data, suffix_type(file.name), url)
    charset = charset_of(data, "", media_type)
    found = await extract_in_time(data, media_type, charset, url)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Page(url, found.title, found.text, media_type, "file", now, found.links)


def _for_purpose(page: Page, purpose: str) -> str:
    """The text, or of a long one the passages that rank best for a purpose, in reading order."""
    if not purpose.strip() or len(page.text) <= KEPT_CHARS:
        return page.text
    passages = split(page.text)
    shown = [_under_heading(passage) for passage in passages]
    scores = Ranker(None).scores(purpose, [page.title] * len(passages), passages)
    kept = select(
        passages, [0] * len(passages), scores, lambda i: len(shown[i]) + len(GAP), KEPT_CHARS
    )
    return GAP.join(shown[i] for i in sorted(kept))


def _under_heading(passage: Passage) -> str:
    return f"({passage.context}) {passage.text}" if passage.context else passage.text


def _as_json(page: Page, shown: Part) -> dict[str, Any]:
    return {
        "url": page.url,
        "title": page.title,
        "text": shown.text,
        "page": shown.number,
        "pages": shown.count,
        "content_type": page.media_type,
        "links": [{"url": link.url, "text": link.text} for link in page.links],
    }
