"""Tokens and prompts over HTTP, in llama-server's shapes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from edge_agent.chat.messages import Message
from edge_agent.server.services import Services
from tests.server.conftest import Serving
from tests.server.fakes import FakeAgent, FakeChat
from tests.server.text.fakes import FakeTexts


def url_of(serving: Serving, texts: FakeTexts | None = None) -> str:
    return serving(Services(FakeChat(), FakeAgent(), texts=texts or FakeTexts()))


def tokens(url: str, content: Any, **more: Any) -> Any:
    answer = httpx.post(f"{url}/tokenize", json={"content": content, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["tokens"]


def test_what_was_tokenised_is_detokenised(serving: Serving) -> None:
    url = url_of(serving)
    text = "Grüße <|im_start|> 媽"
    ids = tokens(url, text)
    assert 256 in ids and len(ids) < len(text.encode())
    back = httpx.post(f"{url}/detokenize", json={"tokens": ids}).json()
    assert back == {"content": text}


def test_special_spellings_are_text_unless_they_are_parsed(serving: Serving) -> None:
    url = url_of(serving)
    assert tokens(url, "<|im_end|>") == [257]
    assert tokens(url, "<|im_end|>", parse_special=False) == list(b"<|im_end|>")
    assert tokens(url, "a", add_special=True) == [258, 97]


def test_pieces_are_text_or_bytes(serving: Serving) -> None:
    assert tokens(url_of(serving), "aü", with_pieces=True) == [
        {"id": 97, "piece": "a"},
        {"id": 195, "piece": [195]},
        {"id": 188, "piece": [188]},
    ]


def test_texts_and_ids_may_be_mixed(serving: Serving) -> None:
    url = url_of(serving)
    assert tokens(url, ["a", 257, "b"]) == [97, 257, 98]
    assert tokens(url, "") == tokens(url, []) == []


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/tokenize", {}, "content: this field is required."),
        ("/tokenize", {"content": 5}, "content: Input should be a string or a list."),
        ("/tokenize", {"content": ["a", 263]}, "263 is not a token id"),
        ("/tokenize", {"content": [True]}, "content[0]: Input should be a text or a token id."),
        ("/detokenize", {"tokens": [263]}, "263 is not a token id"),
        ("/detokenize", {"tokens": [-1]}, "-1 is not a token id"),
        ("/detokenize", {"tokens": ["a"]}, "tokens[0]: "),
        ("/apply-template", {"messages": []}, "messages: it must not be empty."),
    ],
)
def test_what_is_wrong_is_named(serving: Serving, path: str, body: Any, message: str) -> None:
    answer = httpx.post(url_of(serving) + path, json=body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_the_prompt_of_a_chat_is_its_template_applied(serving: Serving) -> None:
    texts = FakeTexts()
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    body = {"messages": messages, "max_tokens": 5}
    answer = httpx.post(f"{url_of(serving, texts)}/apply-template", json=body)
    assert answer.json() == {"prompt": "Be brief.|Hi"}
    assert texts.requests[0].messages[1] == Message("user", "Hi")


@pytest.mark.parametrize("path", ["/tokenize", "/detokenize", "/apply-template"])
def test_a_model_elsewhere_has_no_tokens_here(serving: Serving, path: str) -> None:
    url = serving(Services(FakeChat(), FakeAgent()))
    user = {"role": "user", "content": "Hi"}
    body = {"content": "a", "tokens": [1], "messages": [user]}
    answer = httpx.post(url + path, json=body)
    assert answer.status_code == 501 and "another server" in answer.json()["error"]["message"]
