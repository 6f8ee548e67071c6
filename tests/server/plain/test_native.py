"""llama-server's own completions, over a real socket."""

from __future__ import annotations

import pytest

from tests.server.conftest import Serving
from tests.server.plain.texts import events, post, writing


def test_a_completion_tells_all_there_is(serving: Serving) -> None:
    told = post(
        serving(writing("b\nc")), "/completion", prompt="a", stop=["END"], return_tokens=True
    ).json()
    assert (told["content"], told["tokens"]) == ("b\nc", [98, 10, 99])
    assert (told["stop"], told["stop_type"], told["stopping_word"]) == (True, "eos", "")
    assert told["prompt"] == "a" and told["has_new_line"] is True and told["truncated"] is False
    assert told["generation_settings"]["seed"] == 42
    assert told["generation_settings"]["stop"] == ["END"]
    assert told["tokens_evaluated"] == 1 and told["timings"]["predicted_n"] == 3


def test_the_word_that_stopped_it_is_told(serving: Serving) -> None:
    told = post(serving(writing("one END two")), "/completion", prompt="a", stop=["END"]).json()
    assert (told["content"], told["stop_type"], told["stopping_word"]) == ("one ", "word", "END")


def test_a_stream_says_each_piece_with_its_tokens(serving: Serving) -> None:
    url = serving(writing("bcdé", reason="length"))
    *pieces, last = events(post(url, "/completions", prompt="a", stream=True))
    assert [piece["content"] for piece in pieces] == ["b", "c", "d", "é"]
    assert pieces[0]["tokens"] == [98]
    assert not any(piece["stop"] for piece in pieces)
    assert last["stop"] is True and last["content"] == "" and last["stop_type"] == "limit"


def test_probabilities_come_with_the_tokens_that_were_likely(serving: Serving) -> None:
    url = serving(writing("bc", "bc"))
    whole = post(url, "/completion", prompt="a", n_probs=2).json()
    assert [told["id"] for told in whole["completion_probabilities"]] == [98, 99]
    assert [top["id"] for top in whole["completion_probabilities"][0]["top_logprobs"]] == [98, 99]
    *pieces, last = events(post(url, "/completion", prompt="a", n_probs=2, stream=True))
    assert [len(piece["completion_probabilities"]) for piece in pieces] == [1, 1]
    assert "completion_probabilities" not in last


def test_probabilities_of_the_draw_are_no_logarithms(serving: Serving) -> None:
    url = serving(writing("b"))
    told = post(url, "/completion", prompt="a", n_probs=1, post_sampling_probs=True).json()
    (token,) = told["completion_probabilities"]
    assert 0 < token["prob"] < 1 and len(token["top_probs"]) == 1 and "logprob" not in token


def test_several_prompts_make_a_list_and_one_does_not(serving: Serving) -> None:
    url = serving(writing("x", "y", "z", "u", "v"))
    assert [one["content"] for one in post(url, "/completion", prompt=["a", "b"]).json()] == [
        "x",
        "y",
    ]
    assert post(url, "/completion", prompt=["a"]).json()["content"] == "z"
    both = post(url, "/completion", prompt="a", n_cmpl=2).json()
    assert [one["index"] for one in both] == [0, 1]


def test_only_the_fields_that_are_wanted_are_told(serving: Serving) -> None:
    wanted = ["content", "generation_settings/n_predict", "nothing/here"]
    told = post(
        serving(writing("x")), "/completion", prompt="a", n_predict=7, response_fields=wanted
    ).json()
    assert told == {"content": "x", "generation_settings/n_predict": 7}


def test_ends_that_are_ignored_are_shown_as_bans(serving: Serving) -> None:
    url = serving(writing("x", "x"))
    ignoring = post(url, "/completion", prompt="a", ignore_eos=True).json()
    bans = ignoring["generation_settings"]["logit_bias"]
    assert bans and all(ban["bias"] is None for ban in bans)
    plain = post(url, "/completion", prompt="a").json()
    assert plain["generation_settings"]["logit_bias"] == []


def test_timings_come_with_every_piece_where_they_are_wanted(serving: Serving) -> None:
    url = serving(writing("bc"))
    *pieces, last = events(
        post(url, "/completion", prompt="a", stream=True, timings_per_token=True)
    )
    assert [piece["timings"]["predicted_n"] for piece in pieces] == [1, 2]
    assert last["timings"]["predicted_n"] == 2


@pytest.mark.parametrize(
    "extra",
    [{}, {"filename": "ok"}, {"filename": 123}, {"filename": 123, "text": "abc"}, "text"],
)
def test_files_to_refer_to_are_a_name_and_a_text(serving: Serving, extra: object) -> None:
    body = {"input_prefix": "a", "input_suffix": "b", "input_extra": [extra]}
    answer = post(serving(writing("x")), "/infill", **body)
    assert answer.status_code == 400 and "input_extra[0]" in answer.json()["error"]["message"]


def test_infill_needs_its_marks_and_both_sides(serving: Serving) -> None:
    url = serving(writing("x"))
    assert post(url, "/infill", input_prefix="a").status_code == 400
    assert post(url, "/infill", input_prefix="a", input_suffix="b").status_code == 501
