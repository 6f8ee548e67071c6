"""Pages as they look when their scripts have run, in a local Chromium that has no network.

Every request of the page is answered from here, by the web client and its rules; the browser itself
has a proxy that nobody listens on, so what would slip past does not leave the device either. Only
GET is answered: a script can read the open web and send nothing.

This module needs the package playwright: see `rendering`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil

from playwright.async_api import Browser, BrowserContext, Playwright, Route, async_playwright
from playwright.async_api import Error as PlaywrightError

from edge_agent.errors import FetchError
from edge_agent.tools.web.client import USER_AGENT, WebClient
from edge_agent.tools.web.target import target_of

PAGE_S = 30.0  # for a page with all it loads
QUIET_S = 8.0  # of these, to wait until nothing more is loaded
MAX_REQUESTS = 80
MAX_BYTES = 24 * 2**20  # of all that a page loads
MAX_HTML_CHARS = 8_000_000
NEEDED = frozenset({"document", "script", "xhr", "fetch", "stylesheet"})
NOBODY = "http://127.0.0.1:9"  # the discard port
ARGS = (
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-bypass-list=<-loopback>",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-background-networking",
    "--disable-gpu",
)
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_NO_CHROMIUM = (
    "there is no Chromium: run `playwright install chromium`, or name one in EDGE_AGENT_CHROMIUM"
)


class Chromium:
    """One browser, started for the first page that needs it. Pages come one after the other."""

    def __init__(self, web: WebClient, executable: str | None = None) -> None:
        self._web = web
        self._executable = executable
        self._turn = asyncio.Lock()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    async def rendered(self, url: str) -> str:
        """The page's HTML when its scripts have run. Raises FetchError."""
        try:
            async with self._turn:
                return await asyncio.wait_for(self._rendered(url), PAGE_S)
        except asyncio.TimeoutError:
            raise _failed(url, f"it was not done in {PAGE_S:g} seconds", "timeout") from None
        except PlaywrightError as error:
            raise _failed(url, _why(error)) from None

    async def aclose(self) -> None:
        """Stop the browser."""
        if self._browser is not None:
            with contextlib.suppress(PlaywrightError):
                await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()
        self._browser = self._playwright = None

    async def _rendered(self, url: str) -> str:
        browser = await self._started()
        context = await browser.new_context(
            user_agent=USER_AGENT, service_workers="block", accept_downloads=False
        )
        try:
            return await self._html(context, url)
        finally:
            await context.close()

    async def _started(self) -> Browser:
        if self._browser is not None and self._browser.is_connected():
            return self._browser
        await self.aclose()
        self._playwright = await async_playwright().start()
        self._browser = await self._playwright.chromium.launch(
            executable_path=self._executable or _found(),
            args=list(ARGS),
            proxy={"server": NOBODY},
            chromium_sandbox=os.geteuid() != 0,  # for root there is none
        )
        return self._browser

    async def _html(self, context: BrowserContext, url: str) -> str:
        loads = _Loads(self._web, url)
        await context.route("**/*", loads.answer)
        await context.route_web_socket("**/*", lambda socket: socket.close())
        page = await context.new_page()
        await page.goto(url, wait_until="domcontentloaded", timeout=PAGE_S * 1000)
        with contextlib.suppress(PlaywrightError):  # a page may never be quiet
            await page.wait_for_load_state("networkidle", timeout=QUIET_S * 1000)
        html: str = await page.content()
        return html[:MAX_HTML_CHARS]


class _Loads:
    """Answers what one page asks for, within limits."""

    def __init__(self, web: WebClient, url: str) -> None:
        self._web = web
        self._home = target_of(url).place
        self._requests = 0
        self._bytes = 0

    async def answer(self, route: Route) -> None:
        """Fulfilled or aborted, never let through."""
        request = route.request
        self._requests += 1
        full = self._requests > MAX_REQUESTS or self._bytes > MAX_BYTES
        if full or request.method != "GET" or request.resource_type not in NEEDED:
            await route.abort()
            return
        try:
            await self._fulfill(route, request.url)
        except FetchError as error:
            await route.abort("addressunreachable" if error.kind != "refused" else "accessdenied")

    async def _fulfill(self, route: Route, url: str) -> None:
        target = target_of(url)
        if target.place != self._home and self._web.allows(url):
            # named by a person for himself, not for what a stranger's script may read
            raise FetchError(f"{url} is not for scripts of another site.", url, "refused")
        got = await self._web.get(url)
        self._bytes += len(got.data)
        kind = f"{got.media_type}; charset={got.charset.removesuffix('-sig')}"
        headers = {"content-type": kind, "access-control-allow-origin": "*"}
        await route.fulfill(status=200, headers=headers, body=got.data)


def _found() -> str | None:
    """A Chromium of the system; None lets Playwright take its own."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def _why(error: PlaywrightError) -> str:
    message = " ".join(error.message.split())
    return _NO_CHROMIUM if "Executable doesn't exist" in message else message[:200].rstrip(".")


def _failed(url: str, why: str, kind: str = "unsupported") -> FetchError:
    return FetchError(f"{url} could not be rendered: {why}.", url, kind)
