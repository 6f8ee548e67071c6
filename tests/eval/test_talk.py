"""The accounts of a baseline's conversation."""

from __future__ import annotations

from edge_agent.agent.records import Action, Note
from edge_agent.chat.messages import ChatRequest, Completion, Done, Message, Prompt
from edge_agent.engine.params import Usage
from edge_agent.eval.talk import Talk
from tests.agent.fakes import FakeChat, Says


class Metered(FakeChat):
    """Says what it is told, at the given costs."""

    def __init__(self, *usages: Usage) -> None:
        super().__init__([Says("x")])
        self.usages = list(usages)

    async def complete(self, prompt: Prompt) -> Completion:
        return Completion("x", "", (), Done("stop", self.usages.pop(0)))


REQUEST = ChatRequest((Message("user", "Who?"),))


async def test_only_tokens_that_were_computed_before_are_reprefilled() -> None:
    chat = Metered(
        Usage(prompt_tokens=100, cached_tokens=0, completion_tokens=20),
        Usage(prompt_tokens=150, cached_tokens=120, completion_tokens=10),  # only what is new
        Usage(prompt_tokens=200, cached_tokens=90, completion_tokens=10),  # 40 new, 110 computed
    )
    talk = Talk(chat, "Who?")
    for _ in range(3):
        await talk.ask(REQUEST)
    usage = talk.run("Ane").usage
    assert (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens) == (450, 210, 40)
    assert usage.reprefilled_tokens == 70


async def test_what_is_done_before_the_first_generation_is_a_step_of_its_own() -> None:
    talk = Talk(Metered(Usage(completion_tokens=3)), "Who?")
    talk.did([Action("search", {}, "3 results")])
    talk.did([Action("fetch_url", {}, "read")], [Note("web", "u", "t", "text")])
    await talk.ask(REQUEST)
    talk.failed("nothing could be made of it")
    run = talk.run("Ane", "steps_limit", forced=True)
    assert [len(step.actions) for step in run.steps] == [2, 0]
    assert [step.error for step in run.steps] == [None, "nothing could be made of it"]
    assert [step.number for step in run.steps] == [1, 2]
    assert (run.usage.tool_calls, run.forced, run.reason) == (2, True, "steps_limit")
