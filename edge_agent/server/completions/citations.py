"""What a text cites, as OpenAI's chat completions of models that search have it."""

from __future__ import annotations

from typing import Any

from edge_agent.chat.messages import Text

Json = dict[str, Any]


def cited_in(text: Text, start: int = 0) -> Json:
    """The field of a message or a delta, for texts that cite; `start` characters came before."""
    cited = [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": start + each.start,
                "end_index": start + each.end,
                "url": each.url,
                "title": each.title,
            },
        }
        for each in text.citations
    ]
    return {"annotations": cited} if cited else {}
