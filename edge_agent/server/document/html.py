"""The document of the API as one page to read, which needs nothing from elsewhere: a device may be
offline."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any

Json = dict[str, Any]
CODE = re.compile(r"`([^`]+)`")
REF = "#/components/schemas/"
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "{} characters or more",
    "maxLength": "{} characters or fewer",
    "minItems": "{} or more",
    "maxItems": "{} or fewer",
}
HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; }}
pre, code {{ font: 14px/1.4 ui-monospace, monospace; }}
pre {{ overflow-x: auto; padding: .8rem; border: 1px solid #8886; border-radius: 6px; }}
summary {{ cursor: pointer; padding: .3rem 0; }}
details {{ border-bottom: 1px solid #8884; }}
table {{ border-collapse: collapse; }}
td {{ vertical-align: top; padding: .15rem 1rem .15rem 0; }}
</style>
<h1>{title}</h1>
"""


def page_of(document: Json) -> str:
    """The whole page."""
    info = document["info"]
    return "".join(
        [
            HEAD.format(title=escape(f"{info['title']} {info['version']}")),
            f"<p>{escape(info.get('description', ''))} ",
            'The same for programs: <a href="openapi.json">openapi.json</a>.</p>',
            *_routes(document),
            "<h2>Bodies</h2>",
            *_schemas(document),
        ]
    )


def _routes(document: Json) -> Iterator[str]:
    tag = None
    for path, item in document["paths"].items():
        for method, operation in item.items():
            (now, *_) = operation.get("tags") or [""]
            if now != tag:
                tag = now
                yield f"<h2>{escape(tag)}</h2>"
            yield _route(f"{method.upper()} {path}", operation)


def _route(name: str, operation: Json) -> str:
    said, _, rest = operation.get("description", "").partition("```sh\n")
    command = rest.partition("\n```")[0]
    shown = f"<pre>{escape(command)}</pre>" if command else ""
    head = f"<code>{escape(name)}</code> {escape(operation.get('summary', ''))}"
    return (
        f"<details><summary>{head}</summary>{_paragraphs(said)}{shown}"
        f"{_body(operation)}{_parameters(operation)}{_statuses(operation)}</details>"
    )


def _body(operation: Json) -> str:
    contents = operation.get("requestBody", {}).get("content", {}).values()
    return "".join(f"<p>Body: {type_of(content.get('schema', {}))}</p>" for content in contents)


def _parameters(operation: Json) -> str:
    return _table(
        (f"<code>{escape(each['name'])}</code>", f"{each['in']}: {type_of(each.get('schema', {}))}")
        for each in operation.get("parameters", ())
    )


def _statuses(operation: Json) -> str:
    return _table(
        (escape(status), _marked(told.get("description", "")))
        for status, told in operation.get("responses", {}).items()
    )


def _schemas(document: Json) -> Iterator[str]:
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        fields = schema.get("properties", {})
        required = set(schema.get("required", ()))
        rows = (
            (
                f"<code>{escape(field)}</code>{' (required)' if field in required else ''}",
                type_of(told),
            )
            for field, told in fields.items()
        )
        yield (
            f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
            f"{_paragraphs(schema.get('description', ''))}{_table(rows)}</details>"
        )


def type_of(schema: Json) -> str:
    """What a value may be, in words; HTML."""
    if ref := schema.get("$ref"):
        name = escape(ref.removeprefix(REF))
        return f'<a href="#{name}">{name}</a>'
    for key in ("anyOf", "oneOf"):
        if key in schema:
            others = [one for one in schema[key] if one.get("type") != "null"]
            return " or ".join(dict.fromkeys(map(type_of, others)))
    if "enum" in schema:
        return " or ".join(map(_value, schema["enum"]))
    if "const" in schema:
        return _value(schema["const"])
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {}))}{_bounds(schema)}"
    kind = schema.get("type", "anything")
    return escape(kind if isinstance(kind, str) else " or ".join(kind)) + _bounds(schema)


def _value(value: Any) -> str:
    return f"<code>{escape(json.dumps(value, ensure_ascii=False))}</code>"


def _bounds(schema: Json) -> str:
    told = [words.format(schema[key]) for key, words in BOUNDS.items() if key in schema]
    return f" ({escape(', '.join(told))})" if told else ""


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_marked(each)}</p>" for each in text.strip().split("\n\n") if each)


def _marked(text: str) -> str:
    return CODE.sub(r"<code>\1</code>", escape(text))


def _table(rows: Iterator[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><td>{left}</td><td>{right}</td></tr>" for left, right in rows)
    return f"<table>{lines}</table>" if lines else ""
