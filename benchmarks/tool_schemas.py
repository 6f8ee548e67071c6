"""Ten tools of rising difficulty, for the battery: what they take, what is asked, a right call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A tool, two questions that ask for it, and arguments that its schema allows.

    hard: what makes it hard. sample, wrong: arguments that are valid, and some that are not.
    """

    hard: str
    name: str
    description: str
    parameters: Mapping[str, Any]
    questions: Sequence[str]
    sample: Json
    wrong: Json

    @property
    def tool(self) -> Json:
        """As a request has it."""
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
        }
        return {"type": "function", "function": function}


def closed(properties: Json, *optional: str, **more: Any) -> Json:
    """A JSON Schema of an object with these properties alone, all required but `optional`."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        **more,
    }


TEXT: Json = {"type": "string"}
FOUR_DIGITS: Json = {"type": "string", "pattern": "^[0-9]{4}$"}
TOWN: Json = {"type": "string", "description": "Name of a town."}
CLOCK: Json = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}
DATE: Json = {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"}
PLACE = closed({"town": TOWN, "country": TEXT})
CONTACT = {
    "anyOf": [
        closed({"kind": {"const": "mail"}, "address": {**TEXT, "maxLength": 40}}),
        closed({"kind": {"const": "phone"}, "number": {**TEXT, "pattern": "^[0-9]{5,12}$"}}),
    ]
}
LINE = closed(
    {
        "product": {**TEXT, "minLength": 1, "maxLength": 40},
        "count": {"type": "integer", "minimum": 1, "maximum": 99},
        "options": {"type": "array", "items": {"enum": ["gift", "fast", "fragile"]}, "maxItems": 3},
    },
    "options",
)

CASES: Sequence[Case] = (
    Case(
        "one text",
        "get_weather",
        "The weather of a town today.",
        closed({"town": TOWN}),
        ("What is the weather like in Oslo?", "Should I take an umbrella in Lima today?"),
        {"town": "Oslo"},
        {"city": "Oslo"},
    ),
    Case(
        "enum",
        "set_lamp",
        "Switch a lamp.",
        closed(
            {
                "room": {"enum": ["kitchen", "bedroom", "hall", "bath"]},
                "state": {"enum": ["on", "off", "dimmed"]},
            }
        ),
        ("Turn off the lamp in the kitchen.", "Please dim the light of the bedroom."),
        {"room": "kitchen", "state": "off"},
        {"room": "cellar", "state": "off"},
    ),
    Case(
        "numbers and truth",
        "set_oven",
        "Heat the oven.",
        closed(
            {
                "degrees": {"type": "integer"},
                "hours": {"type": "number"},
                "fan": {"type": "boolean"},
            }
        ),
        ("Heat the oven to 180 degrees for an hour and a half, with the fan.",
         "Bake at 220 degrees for half an hour without the fan."),
        {"degrees": 180, "hours": 1.5, "fan": True},
        {"degrees": "180", "hours": 1.5, "fan": True},
    ),
    Case(
        "optional fields",
        "find_flights",
        "Find flights between two towns.",
        closed(
            {
                "start": TOWN,
                "end": TOWN,
                "day": DATE,
                "seats": {"type": "integer"},
                "cabin": {"enum": ["economy", "business"]},
            },
            *("day", "seats", "cabin"),
        ),
        ("Find a flight from Rome to Cairo.",
         "Find two seats in business from Paris to Tokyo on 2026-05-04."),
        {"start": "Rome", "end": "Cairo"},
        {"start": "Rome", "day": "tomorrow"},
    ),
    Case(
        "nested objects",
        "send_parcel",
        "Send a parcel from one place to another.",
        closed({"sender": closed({"name": TEXT, "place": PLACE}),
                "receiver": closed({"name": TEXT, "place": PLACE})}),
        ("Send a parcel from Ada in Bergen, Norway to Bo in Malmo, Sweden.",
         "Eve in Turin, Italy wants to send a parcel to Max in Linz, Austria."),
        {
            "sender": {"name": "Ada", "place": {"town": "Bergen", "country": "Norway"}},
            "receiver": {"name": "Bo", "place": {"town": "Malmo", "country": "Sweden"}},
        },
        {"sender": {"name": "Ada"}, "receiver": {"name": "Bo"}},
    ),
    Case(
        "arrays",
        "make_list",
        "Write a shopping list.",
        closed(
            {
                "title": TEXT,
                "items": {"type": "array", "items": TEXT, "minItems": 2, "maxItems": 5},
                "shelves": {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 1, "maximum": 20},
                    "maxItems": 4,
                },
            }
        ),
        ("Make a list named Breakfast with bread, milk and eggs, on the shelves 3 and 7.",
         "I need a list named Tools: a hammer and nails, both on shelf 12."),
        {"title": "Breakfast", "items": ["bread", "milk"], "shelves": [3]},
        {"title": "Breakfast", "items": ["bread"], "shelves": [3]},
    ),
    Case(
        "unions",
        "add_person",
        "Add a person to the address book.",
        closed(
            {
                "name": TEXT,
                "age": {"type": ["integer", "null"]},
                "contact": CONTACT,
                "tags": {"anyOf": [{"type": "array", "items": TEXT, "maxItems": 3}, TEXT]},
            }
        ),
        ("Add Ada, 36 years old, with the mail ada@example.org and the tag friend.",
         "Add Bo with the phone number 5551234, tagged work and sport. His age is not known."),
        {"name": "Ada", "age": None, "contact": {"kind": "phone", "number": "55512"}, "tags": "x"},
        {"name": "Ada", "age": None, "contact": {"kind": "mail", "number": "5551"}, "tags": "x"},
    ),
    Case(
        "bounds",
        "book_table",
        "Book a table in a restaurant.",
        closed(
            {
                "guests": {"type": "integer", "minimum": 1, "maximum": 12},
                "at": CLOCK,
                "day": DATE,
                "budget": {"type": "number", "exclusiveMinimum": 0, "maximum": 500},
                "note": {**TEXT, "minLength": 3, "maxLength": 60},
            }
        ),
        ("Book a table for 4 at 19:30 on 2026-08-01, 120 at most, by the window.",
         "We are 40 people at 7 in the morning on 2026-12-24 with 9000 to spend; quiet please."),
        {"guests": 4, "at": "19:30", "day": "2026-08-01", "budget": 120, "note": "window"},
        {"guests": 40, "at": "19:30", "day": "2026-08-01", "budget": 120, "note": "window"},
    ),
    Case(
        "unicode",
        "translate",
        "Translate a greeting; 翻訳する。",
        closed(
            {
                "wörter": {**TEXT, "maxLength": 60},
                "язык": {"enum": ["日本語", "ελληνικά", "español", "emoji 🌊"]},
                "größe": {"enum": ["klein", "groß", None]},
            }
        ),
        ("Translate 'Schöne Grüße' into 日本語, in large letters.",
         "Write «привет 🌊» in español."),
        {"wörter": "Schöne Grüße", "язык": "日本語", "größe": "groß"},
        {"wörter": "Schöne Grüße", "язык": "日本语", "größe": "groß"},
    ),
    Case(
        "all of it",
        "place_order",
        "Place an order in the shop.",
        closed(
            {
                "customer": closed(
                    {"name": {**TEXT, "maxLength": 40}, "contact": CONTACT, "place": PLACE}, "place"
                ),
                "lines": {"type": "array", "items": LINE, "minItems": 1, "maxItems": 3},
                "payment": {
                    "anyOf": [
                        closed({"by": {"const": "card"}, "last4": FOUR_DIGITS}),
                        closed({"by": {"const": "invoice"}, "due": DATE}),
                    ]
                },
                "note": {"type": ["string", "null"], "maxLength": 60},
            },
            "note",
        ),
        ("Order two lamps as a gift for Ada, ada@example.org, by card ending in 4321.",
         "Bo, phone 5551234, of Malmo in Sweden orders 5 vases, fragile, on an invoice due "
         "2026-09-01. Note: ring twice."),
        {
            "customer": {"name": "Ada", "contact": {"kind": "mail", "address": "ada@example.org"}},
            "lines": [{"product": "lamp", "count": 2, "options": ["gift"]}],
            "payment": {"by": "card", "last4": "4321"},
        },
        {
            "customer": {"name": "Ada", "contact": {"kind": "mail", "address": "ada@example.org"}},
            "lines": [],
            "payment": {"by": "card", "last4": "43"},
        },
    ),
)  # fmt: skip
