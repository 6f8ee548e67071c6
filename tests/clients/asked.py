"""What every client is asked to do, and how its answer is judged."""

from __future__ import annotations

import json
from typing import Any

KEY = "unused"  # the clients want one, and the server asks for none
TIMEOUT_S = 240.0
GREETING = "Say hello to Ada."
QUESTION = "What is the weather like in Oslo today?"
FOLLOW_UP = "How many degrees is that? Answer with the number alone."
DESCRIPTION = "The weather of a city today."
CITIES = ["Oslo", "Lima", "Cairo"]
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": CITIES, "description": "Name of a city."}},
    "required": ["city"],
    "additionalProperties": False,
}
FUNCTION: dict[str, Any] = {
    "name": "get_weather",
    "description": DESCRIPTION,
    "parameters": PARAMETERS,
}
TOOL: dict[str, Any] = {"type": "function", "function": FUNCTION}


def get_weather(city: str) -> str:
    """The weather of a city today."""
    return f"{city}: 21 degrees, sunny."


def is_weather(name: str | None, arguments: Any) -> bool:
    """Whether a call is one that the schema allows; `arguments` are JSON text or an object."""
    given = json.loads(arguments) if isinstance(arguments, str) else arguments
    return name == "get_weather" and list(given) == ["city"] and given["city"] in CITIES
