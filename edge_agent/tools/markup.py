"""An HTML tree as plain text: headings `# `, table rows `| a | b |`, list items `- `.

Words are never rewritten, only white space: what a reader sees as one sentence is one run of
characters here. Works on the tree of a page and on the one trafilatura makes of it.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, TypeAlias

from lxml import etree, html

Node: TypeAlias = Any  # an lxml element; lxml ships no annotations

_SKIPPED = frozenset({
    "script", "style", "noscript", "template", "svg", "nav", "iframe", "object", "select", "button",
    "input", "textarea", "option", "datalist", "dialog", "audio", "video", "canvas",
})  # fmt: skip
_FURNITURE_ROLES = frozenset({"navigation", "search", "menu", "menubar", "dialog"})
_FURNITURE_IF_LINKS = frozenset({"aside", "footer", "header"})
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
_TIGHT = frozenset({"item", "dt", "dd", "row"})  # follow their like without an empty line
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")  # soft hyphens and zero-width spaces
_SPACE = re.compile(r"\s+")
_BREAK = "\0"  # a <br> inside a block; no XML text holds NUL


def parse(text: str) -> Node | None:
    """The tree of a page, or None when there is nothing in it."""
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        return html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None


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


def render(tree: Node) -> str:
    """All that a reader sees under `tree`, without scripts, controls and boxes of links."""
    writer = _Writer()
    skipped: Node | None = None
    walk = etree.iterwalk(tree, events=("start", "end"))
    for event, node in walk:
        if event == "start" and node is not tree and _is_furniture(node):
            walk.skip_subtree()
            skipped = node
        elif event == "start":
            writer.open(node)
        else:
            if node is not skipped:
                writer.close(node)
            if node is not tree:
                writer.text(node.tail)
    return writer.finish()


def _is_furniture(node: Node) -> bool:
    tag = node.tag
    if tag in _SKIPPED or (tag == "head" and node.get("rend") is None):
        return True
    if node.get("hidden") is not None or node.get("aria-hidden") == "true":
        return True
    if node.get("role") in _FURNITURE_ROLES:
        return True
    return tag in _FURNITURE_IF_LINKS and _link_share(node) > _LINK_SHARE


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
