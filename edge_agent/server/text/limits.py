"""How much text one request may bring to be embedded."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.errors import RequestError
from edge_agent.server.text.schemas import LONGEST, MOST_CHARACTERS, MOST_TEXTS


def check_texts(texts: Sequence[str], field: str) -> None:
    """Raises RequestError for none, for too many, and for too long ones."""
    if not texts:
        raise RequestError(f"{field}: it must not be empty.", field)
    if len(texts) > MOST_TEXTS:
        raise RequestError(
            f"{field}: there are {len(texts)} texts, and a request may have {MOST_TEXTS}.", field
        )
    if (longest := max(map(len, texts))) > LONGEST:
        raise RequestError(
            f"{field}: a text of {longest:,} characters is too large: send it in pieces of at most "
            f"{LONGEST:,}.",
            field,
        )
    if (size := sum(map(len, texts))) > MOST_CHARACTERS:
        raise RequestError(
            f"{field}: the texts have {size:,} characters together, which is too large: a request "
            f"may have {MOST_CHARACTERS:,}.",
            field,
        )
