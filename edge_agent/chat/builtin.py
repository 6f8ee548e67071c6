"""Chat templates that are known by name, for models whose file brings none or a broken one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edge_agent.errors import ConfigError


def _turns(before: str, role: str, after: str, opening: str) -> str:
    """A template that writes each message alike: `before`, its role, its text, `after`."""
    return (
        "{%- for message in messages %}"
        + f"{{{{- {before} }}}}{{{{- {role} }}}}{{{{- {after} }}}}"
        + "{%- endfor %}{%- if add_generation_prompt %}"
        + f"{{{{- {opening} }}}}"
        + "{%- endif %}"
    )


CHATML = _turns(
    "'<|im_start|>' + message.role",
    "'\\n' + message.content",
    "'<|im_end|>\\n'",
    "'<|im_start|>assistant\\n'",
)
LLAMA3 = _turns(
    "'<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n'",
    "message.content | trim",
    "'<|eot_id|>'",
    "'<|start_header_id|>assistant<|end_header_id|>\\n\\n'",
)
COMMAND_R = _turns(
    "'<|START_OF_TURN_TOKEN|>' + {'system': '<|SYSTEM_TOKEN|>', 'user': '<|USER_TOKEN|>'}"
    ".get(message.role, '<|CHATBOT_TOKEN|>')",
    "message.content | trim",
    "'<|END_OF_TURN_TOKEN|>'",
    "'<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>'",
)
# Gemma has no system turn: its text stands before that of the first user.
GEMMA = """\
{%- set ns = namespace(system='') %}
{%- for message in messages %}
    {%- if message.role == 'system' %}
        {%- set ns.system = message.content | trim + '\\n\\n' %}
    {%- else %}
        {{- '<start_of_turn>' + ('model' if message.role == 'assistant' else 'user') + '\\n' }}
        {{- ns.system + message.content | trim + '<end_of_turn>\\n' }}
        {%- set ns.system = '' %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<start_of_turn>model\\n' }}
{%- endif %}
"""
ZEPHYR = _turns(
    "'<|' + message.role + '|>\\n'", "message.content", "eos_token + '\\n'", "'<|assistant|>\\n'"
)
PHI3 = _turns(
    "'<|' + message.role + '|>\\n'", "message.content", "'<|end|>\\n'", "'<|assistant|>\\n'"
)

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "chatml": CHATML,
        "llama3": LLAMA3,
        "command-r": COMMAND_R,
        "gemma": GEMMA,
        "zephyr": ZEPHYR,
        "phi3": PHI3,
    }
)


def built_in(text: str) -> str:
    """The template of that name; a text with jinja in it is one itself. Raises ConfigError."""
    if "{" in text:
        return text
    if text not in BUILT_IN:
        raise ConfigError(
            f"--chat-template {text}: there is no built-in template of this name. There are "
            f"{', '.join(BUILT_IN)}; others are given with --chat-template-file."
        )
    return BUILT_IN[text]
