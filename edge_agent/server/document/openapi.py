"""The OpenAPI document: what FastAPI reads from the routes, and what their pages add."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from edge_agent.server.document.html import page_of
from edge_agent.server.document.page import Page
from edge_agent.server.document.pages import PAGES
from edge_agent.server.document.refusals import ERRORS, WHY

Json = dict[str, Any]


class DocumentedApp(FastAPI):
    """An app whose /openapi.json and /docs name every status and show a command to paste.

    /docs is a page of our own: FastAPI's is drawn by scripts from elsewhere.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(docs_url=None, redoc_url=None, **settings)
        self.add_api_route("/docs", self._docs, include_in_schema=False)

    async def _docs(self) -> HTMLResponse:
        return HTMLResponse(page_of(self.openapi()))

    def openapi(self) -> Json:
        if not self.openapi_schema:
            self.openapi_schema = described(super().openapi())
        return self.openapi_schema


def described(document: Json) -> Json:
    """The same document with the pages of its routes; a route without a page stays as it is."""
    document.setdefault("components", {}).setdefault("schemas", {}).update(ERRORS)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if page := PAGES.get(f"{method.upper()} {path}"):
                _describe(operation, page)
    return document


def _describe(operation: Json, page: Page) -> None:
    said = operation.get("description", "")
    operation["description"] = f"{said}\n\n```sh\n{page.command}\n```".strip()
    operation["responses"] = {
        **{str(status): _success(page, said) for status, said in page.answers.items()},
        **{str(status): _refusal(page, status) for status in sorted(page.refusals)},
    }
    if page.body is not None:
        for content in operation["requestBody"]["content"].values():
            content["example"] = page.body


def _success(page: Page, said: str) -> Json:
    return {"description": said, **({"content": page.content()} if page.kinds else {})}


def _refusal(page: Page, status: int) -> Json:
    schema = {"$ref": f"#/components/schemas/{page.error}"}
    return {"description": WHY[status], "content": {"application/json": {"schema": schema}}}
