"""A page's scripts run in a real Chromium that reaches nothing but what the web client lets it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

pytest.importorskip("playwright")

from edge_agent.errors import FetchError
from edge_agent.tools.web.chromium import NAMES, Chromium
from edge_agent.tools.web.client import WebClient, WebLimits
from tests.tools.fakes import FaultyWeb, Reply, fixed

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, NAMES)), reason="there is no Chromium on this machine"
)
LIMITS = WebLimits()
APP = b"""<html><head><title>Tides</title></head><body><div id="root"></div>
<script src="/app.js"></script></body></html>"""
SCRIPT = b"""
const root = document.getElementById("root");
const say = text => { root.innerHTML += `<p>${text}</p>`; };
fetch("/tides.json").then(r => r.json()).then(t => say(`High water at ${t.high}.`));
fetch("http://127.0.0.1:PORT/article").then(r => r.text()).then(say, () => say("inside: no"));
fetch("/sent", {method: "POST", body: "secret"}).then(() => say("sent"), () => say("post: no"));
new Image().src = "http://127.0.0.1:PORT/image";
try { new WebSocket("ws://127.0.0.1:PORT/"); } catch (e) {}
navigator.sendBeacon("http://127.0.0.1:PORT/article", "secret");
"""


@pytest.fixture
def inside() -> Iterator[FaultyWeb]:
    with FaultyWeb() as web:
        yield web


def app(inside: FaultyWeb) -> FaultyWeb:
    script = SCRIPT.replace(b"PORT", str(inside.port).encode())
    return FaultyWeb(
        {
            "/": fixed(Reply(APP)),
            "/app.js": fixed(Reply(script, "text/javascript")),
            "/tides.json": fixed(Reply(b'{"high": "06:40"}', "application/json")),
        }
    )


@pytest.mark.parametrize("allowed", [False, True])
async def test_scripts_read_their_own_site_and_nothing_else(
    inside: FaultyWeb, allowed: bool
) -> None:
    """Also when a person allowed the other host: he did so for himself."""
    with app(inside) as site:
        hosts = [site.host, *([inside.host] if allowed else [])]
        async with WebClient(hosts, LIMITS) as web:
            chromium = Chromium(web)
            try:
                html = await chromium.rendered(f"{site.url}/")
            finally:
                await chromium.aclose()
        asked = [path for path, _ in site.requests]
    assert "High water at 06:40." in html and "inside: no" in html and "post: no" in html
    assert "/sent" not in asked
    assert inside.requests == []


async def test_a_page_that_cannot_be_fetched_cannot_be_rendered(inside: FaultyWeb) -> None:
    async with WebClient(limits=LIMITS) as web:
        chromium = Chromium(web)
        try:
            with pytest.raises(FetchError, match="could not be rendered"):
                await chromium.rendered(f"{inside.url}/article")
        finally:
            await chromium.aclose()
    assert inside.requests == []


async def test_without_a_browser_the_sentence_says_how_to_get_one(inside: FaultyWeb) -> None:
    async with WebClient([inside.host], LIMITS) as web:
        chromium = Chromium(web, "/nowhere/chromium")
        with pytest.raises(FetchError, match="could not be rendered"):
            await chromium.rendered(f"{inside.url}/article")
        await chromium.aclose()
