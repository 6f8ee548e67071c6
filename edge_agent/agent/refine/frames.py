"""What the pages of a site say around their own text: taglines, notices, navigation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlsplit

from edge_agent.agent.refine.passages import Passage, split
from edge_agent.tools.base import Page

LEAST_PAGES = 3  # of one site; two may say the same of two people


def without_frames(pages: Sequence[Page]) -> list[list[Passage]]:
    """The passages of each page, less those that stand on most of its site's pages."""
    read = [split(page.text) for page in pages]
    sites = [urlsplit(page.url).netloc for page in pages]
    n_pages = Counter(sites)
    held = Counter(
        (site, text)
        for site, passages in zip(sites, read, strict=True)
        for text in {passage.text for passage in passages}
    )

    def is_own(site: str, passage: Passage) -> bool:
        return held[site, passage.text] < max(LEAST_PAGES, n_pages[site] / 2 + 1)

    return [
        [passage for passage in passages if is_own(site, passage)]
        for site, passages in zip(sites, read, strict=True)
    ]
