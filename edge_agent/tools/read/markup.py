"""An HTML tree as plain text: headings `# `, table rows `| a | b |`, list items `- `.

Words are never rewritten, only white space: what a reader sees as one sentence is one run of
characters here. Works on the tree of a page and on the one trafilatura makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from itertools import islice
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urljoin, urlsplit

from lxml import etree, html

from edge_agent.tools.base import Link

Node: TypeAlias = Any  # an lxml element; lxml ships no annotations

_SKIPPED = frozenset({
    "script", "style", "noscript", "template", "svg", "nav", "iframe", "object", "select", "button",
    "input", "textarea", "option", "datalist", "dialog", "audio", "video", "canvas",
})  # fmt: skip
_UNSEEN = (
    "script", "style", "noscript", "template", "svg", "iframe", "object", "select", "button",
    "input", "textarea", "audio", "video", "canvas",
)  # fmt: skip
_FURNITURE_ROLES = frozenset({"navigation", "search", "menu", "menubar", "dialog"})
_FURNITURE_IF_LINKS = frozenset({"aside", "footer", "header"})
MAX_BOXES = 8
_LINK_SHARE = 0.6  # such a box whose words are mostly links is furniture
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_ROWS = frozenset({"tr", "row"})
_CELLS = frozenset({"td", "th", "cell"})
_ITEMS = frozenset({"li", "item", "dt", "dd"})
_LISTS = frozenset({"ul", "ol", "dl", "list", "menu"})
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "details", "div",
    "fieldset", "figcaption", "figure", "footer", "form", "head", "header", "hr", "legend", "main",
    "p", "pre", "quote", "section", "summary", "table", "entry", "title", "description",
}).union(_HEADINGS, _ROWS, _CELLS, _ITEMS, _LISTS)  # fmt: skip
_LAYOUT = etree.XPath("boolean(.//table | .//h1 | .//h2 | .//h3 | .//h4 | .//td/p[2])")
_TOO_DEEP = "ERR_RESOURCE_LIMIT"
_CODE = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]{0,5000}>")
_SCRIPTS = etree.XPath("//script[@src or string-length(normalize-space()) > 20]")
_LINKED = ("http", "https", "library")
_REFRESH = re.compile(
    r"""\s*(?P<seconds>\d{1,4})[\d.]*\s*[;,]?\s*(?:url\s*=\s*)?["']?(?P<url>[^"']{1,2000}?)["']?\s*\Z""",
    re.IGNORECASE,
)
MOVED_S = 5  # a page that sends its reader on later than that is one to read
MAX_LINKS = 300
MAX_ANCHORS = 5_000  # that are looked at
MAX_LINK_CHARS = 2_000
_TIGHT = frozenset({"item", "dt", "dd", "row"})  # follow their like without an empty line
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")  # soft hyphens and zero-width spaces
_SPACE = re.compile(r"\s+")
_BREAK = "\0"  # a <br> inside a block; no XML text holds NUL


def parse(text: str) -> Node | None:
    """The tree of a page, or None when there is nothing in it, or too deep a nest."""
    parser = html.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        tree = html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None
    cut = any(error.type_name == _TOO_DEEP for error in parser.error_log)
    return None if cut else tree


def flat(text: str) -> str:
    """The words of a page without its tree: each tag a line break, scripts left out."""
    shown = _TAG.sub("\n", _CODE.sub("\n", text))
    lines = (_tidy(unescape(line)) for line in shown.split("\n"))
    return "\n".join(line for line in lines if line)


def is_small(tree: Node, most: int) -> bool:
    """Whether a tree has at most so many nodes."""
    return sum(1 for _ in islice(tree.iter(), most + 1)) <= most


def title_of(tree: Node) -> str:
    """What the page calls itself: <title>, else og:title, else its first heading, else ""."""
    found = [
        *tree.xpath("//head//title/text()"),
        *tree.xpath("//meta[@property='og:title']/@content"),
        *(heading.text_content() for heading in tree.xpath("//h1")),
    ]
    return next((tidy for raw in found if (tidy := _tidy(str(raw)))), "")


def main_part(tree: Node) -> Node | None:
    """The part that the page itself marks as its content: one <main>, or one lone <article>."""
    for path in ("//main | //*[@role='main']", "//article[not(ancestor::article)]"):
        found = tree.xpath(path)
        if len(found) == 1:
            return found[0]
    return None


def strip(tree: Node) -> None:
    """Take out of a tree what no reader sees."""
    for node in list(tree.iter(*_UNSEEN)):
        if node.getparent() is not None:
            node.drop_tree()


def is_scripted(tree: Node) -> bool:
    """Whether scripts of its own make what a page shows."""
    return bool(_SCRIPTS(tree))


def moved_to(tree: Node, url: str) -> str:
    """Where a page sends its reader at once, or ""."""
    for meta in tree.iter("meta"):
        if meta.get("http-equiv", "").strip().lower() == "refresh":
            found = _REFRESH.match(meta.get("content", ""))
            if found and int(found["seconds"]) <= MOVED_S:
                return _address(found["url"], url, url)
    return ""


def links(part: Node, tree: Node, url: str) -> tuple[Link, ...]:
    """Where a part of a page leads: whole addresses, each once, with the words that lead there."""
    base = _base(tree, url)
    found: dict[str, str] = {}
    for node in islice(_anchors(part), MAX_ANCHORS):
        address = _address(node.get("href", ""), base, url)
        if address and not found.get(address):
            found[address] = _tidy("".join(node.itertext()))[:MAX_LINK_CHARS]
        if len(found) == MAX_LINKS:
            break
    return tuple(Link(address, text) for address, text in found.items())


def _anchors(part: Node) -> Iterator[Node]:
    walk, boxes = etree.iterwalk(part, events=("start", "end")), 0
    for event, node in walk:
        box = node.tag in _FURNITURE_IF_LINKS
        if event == "end":
            boxes -= box
        elif node is not part and _is_furniture(node, boxes):
            walk.skip_subtree()
            boxes += box  # its end comes all the same
        else:
            boxes += box
            if node.tag == "a":
                yield node


def _base(tree: Node, url: str) -> str:
    """What addresses of a page are relative to."""
    said = str(next(iter(tree.xpath("//base/@href")), ""))
    try:
        return urljoin(url, said.strip())
    except ValueError:
        return url


def _address(href: str, base: str, url: str) -> str:
    """Without fragment; "" for what leads nowhere else, or not to a page."""
    href = href.strip()
    if not href or href[0] == "#":
        return ""
    try:
        whole = urljoin(base, href).partition("#")[0]
        good = urlsplit(whole).scheme in _LINKED and whole != url.partition("#")[0]
    except ValueError:  # brackets that do not close
        return ""
    return whole if good and len(whole) <= MAX_LINK_CHARS else ""


def render(tree: Node) -> str:
    """All that a reader sees under `tree`, without scripts, controls and boxes of links."""
    writer = _Writer()
    skipped: Node | None = None
    walk, boxes = etree.iterwalk(tree, events=("start", "end")), 0
    for event, node in walk:
        box = node.tag in _FURNITURE_IF_LINKS
        boxes -= box and event == "end"
        if event == "start" and node is not tree and _is_furniture(node, boxes):
            walk.skip_subtree()
            skipped = node
        elif event == "start":
            writer.open(node)
        else:
            if node is not skipped:
                writer.close(node)
            if node is not tree:
                writer.text(node.tail)
        boxes += box and event == "start"
    return writer.finish()


def _is_furniture(node: Node, boxes: int) -> bool:
    """boxes: how many stand around it; what is nested deeper is not looked into again."""
    tag = node.tag
    if tag in _SKIPPED or (tag == "head" and node.get("rend") is None):
        return True
    if node.get("hidden") is not None or node.get("aria-hidden") == "true":
        return True
    if node.get("role") in _FURNITURE_ROLES:
        return True
    looked_into = tag in _FURNITURE_IF_LINKS and boxes < MAX_BOXES
    return looked_into and _link_share(node) > _LINK_SHARE


def _link_share(node: Node) -> float:
    words = len("".join(node.itertext()).split())
    linked = sum(len("".join(link.itertext()).split()) for link in node.iter("a"))
    return linked / words if words else 1.0


def _tidy(text: str) -> str:
    return _SPACE.sub(" ", _INVISIBLE.sub("", text)).strip()


def _is_verbatim(node: Node) -> bool:
    return node.tag == "pre" or (node.tag == "code" and "\n" in (node.text or ""))


class _Block(NamedTuple):
    kind: str
    group: int
    text: str


class _Writer:
    """Collects blocks of text while a tree is walked; a pure machine with open, text, close."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._pieces: list[str] = []
        self._kind = "p"
        self._level = 0  # of the heading that is open
        self._depth = 0  # of lists
        self._group = 0  # tables and outermost lists are counted, so that two never merge
        self._verbatim = 0
        self._layout: list[bool] = []  # per open table: it only arranges the page
        self._cells: list[str] = []
        self._in_cell = 0

    def open(self, node: Node) -> None:
        tag = node.tag
        if tag in _BLOCKS:
            self._break()
            self._enter(node, tag)
        elif tag in ("br", "lb"):
            self._pieces.append(_BREAK)
        if _is_verbatim(node):
            self._break()
            self._verbatim += 1
        self.text(node.text)

    def _enter(self, node: Node, tag: str) -> None:
        if tag == "table":
            self._layout.append(bool(_LAYOUT(node)))
            self._group += 1
        elif tag in _LISTS:
            self._group += self._depth == 0
            self._depth += 1
        elif tag in _CELLS and not self._arranging():
            self._in_cell += 1
        elif self._in_cell == 0:
            self._name(node, tag)

    def _name(self, node: Node, tag: str) -> None:
        if tag in _HEADINGS or tag == "head":
            self._kind, self._level = "heading", _HEADINGS.get(node.get("rend", tag), 2)
        elif tag in _ITEMS:
            role = node.get("rend", tag)[:2]
            self._kind = role if role in ("dt", "dd") else "item"

    def text(self, text: str | None) -> None:
        if text:
            self._pieces.append(text)

    def close(self, node: Node) -> None:
        tag = node.tag
        if _is_verbatim(node):
            self._break()
            self._verbatim -= 1
        if tag in _CELLS and not self._arranging():
            self._end_cell()
        elif tag in _ROWS and not self._arranging():
            self._end_row()
        elif tag in _BLOCKS:
            self._break()
            self._kind = "p"
        if tag == "table":
            self._layout.pop()
        elif tag in _LISTS:
            self._depth -= 1

    def _arranging(self) -> bool:
        return not self._layout or self._layout[-1]

    def _end_cell(self) -> None:
        self._in_cell -= 1
        self._cells.append(self._take(" "))

    def _end_row(self) -> None:
        cells, self._cells = self._cells, []
        if any(cells):
            self._blocks.append(_Block("row", self._group, f"| {' | '.join(cells)} |"))

    def _take(self, line_break: str) -> str:
        text, self._pieces = "".join(self._pieces), []
        if self._verbatim:
            return _INVISIBLE.sub("", text).replace(_BREAK, "\n").strip("\n")
        lines = (_tidy(line) for line in text.split(_BREAK))
        return line_break.join(line for line in lines if line)

    def _break(self) -> None:
        if self._in_cell:
            self._pieces.append(" ")
            return
        text = self._take("\n" if self._kind == "p" else " ")
        if text.strip():
            self._put(text)

    def _put(self, text: str) -> None:
        kind, self._kind = self._kind, "p"
        if kind == "heading":
            text = f"{'#' * self._level} {text}"
        elif kind == "dd" and self._blocks and self._blocks[-1].kind == "dt":
            term = self._blocks.pop().text
            kind, text = "item", f"{term}: {text}"
        elif kind in ("item", "dt", "dd"):
            text = f"{'  ' * max(0, self._depth - 1)}- {text}"
        self._blocks.append(_Block(kind, self._group, text))

    def finish(self) -> str:
        """The whole text: an empty line between blocks, none within a list or a table."""
        self._break()
        out = ""
        for before, block in zip([_Block("", 0, ""), *self._blocks], self._blocks, strict=False):
            tight = block.kind in _TIGHT and before.kind in _TIGHT and before.group == block.group
            out += ("\n" if tight else "\n\n") + block.text
        return out.strip("\n")
