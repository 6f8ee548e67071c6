"""The card of a GGUF, in the form that `edge-agent models` reads."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.catalog.cardfile import read_card
from edge_agent.catalog.gguf import GgufHeader, read_gguf
from edge_agent.errors import BadModelFile
from quantize.progress import Progress, silent
from quantize.whole import whole

READ_BYTES = 8 << 20
DEFAULT_CONTEXT = 16_384
BUFFER_BYTES = 400_000_000  # of llama.cpp beside weights and cells, as the shipped cards count it
ROUND_BYTES = 10_000_000
LARGE = 3_000_000_000  # weights from which on a model follows the long prompts of an agent
OWN_RANK = 50  # between the shipped small models and the agents
# a part of the name, and the profile of the model that has it
NAMED = (
    ("agentcpm", "agentcpm"),
    ("venus", "dr-venus"),
    ("tongyi", "tongyi"),
    ("literesearch", "litresearcher"),
)
SAMPLING = {"temp": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p"}
REPEAT = "penalty_repeat"
WHOLE = ("top_k",)


@dataclass(frozen=True, slots=True)
class Guess:
    """A profile, and what it was guessed from."""

    profile: str
    reason: str


def guess(name: str, header: GgufHeader) -> Guess:
    """How the agent should talk to it: by its name, else by its template and its size."""
    for part, profile in NAMED:
        if part in name.lower().replace("-", "").replace("_", ""):
            return Guess(profile, f"its name holds {part!r}")
    template = str(header.metadata.get("tokenizer.chat_template", ""))
    if "tools" not in template or "<tool_call>" not in template:
        return Guess("plain", "its template shows no tools: actions are constrained JSON")
    if header.n_parameters < LARGE:
        weights = f"{header.n_parameters / 1e9:.1f} billion weights"
        return Guess("plain", f"it calls tools but has {weights}: constrained JSON is safer")
    return Guess("qwen", "its template shows tools between <tool_call> marks")


def card_text(path: Path, progress: Progress = silent) -> str:
    """The card as TOML. Raises BadModelFile where the file is no language model."""
    header = read_gguf(path)
    if not header.context_length or not header.n_parameters:
        raise BadModelFile(f"{path} says no context length: it is no language model.")
    lines = [*_about(path, header), "", *_sampling(header), *_file(path, progress)]
    return "\n".join(lines) + "\n"


def write_card(path: Path, target: Path, progress: Progress = silent) -> None:
    """Write the card and read it back as the catalog does. Raises as `card_text`, CatalogError."""
    text = card_text(path, progress)
    with whole(target) as part:
        part.write_text(text, "utf-8")
        read_card(part)


def _about(path: Path, header: GgufHeader) -> Iterator[str]:
    title, trained = header.name or path.stem, header.context_length or 0
    context = min(DEFAULT_CONTEXT, trained)
    guessed = guess(f"{title} {path.stem}", header)
    licence = str(header.metadata.get("general.license", "")) or "not told by the file"
    yield f"name = {_quoted(slug(path.stem))}"
    yield f"title = {_quoted(title)}"
    yield 'kind = "chat"'
    yield f"licence = {_quoted(licence)}"
    yield f"parameters = {header.n_parameters:_}"
    yield f"context_length = {trained:_}"
    yield f"default_context = {context:_}"
    yield f"memory_bytes = {memory_bytes(path, header, context):_}"
    yield f"# guessed: {guessed.reason}"
    yield f"profile = {_quoted(guessed.profile)}"
    yield f"rank = {OWN_RANK}"
    yield f"note = {_quoted(_template_note(header))}"


def memory_bytes(path: Path, header: GgufHeader, context: int) -> int:
    """Weights, keys and values of `context` tokens in f16, and compute buffers."""
    cells = (header.kv_bytes_per_token or 0) * context
    total = path.stat().st_size + cells + BUFFER_BYTES
    return -(-total // ROUND_BYTES) * ROUND_BYTES


def _template_note(header: GgufHeader) -> str:
    template = str(header.metadata.get("tokenizer.chat_template", ""))
    if not template:
        return f"{header.architecture}; no chat template: ChatML is used."
    told = [word for word in ("tools", "<think>") if word in template]
    shows = f" that knows {' and '.join(told)}" if told else ""
    return f"{header.architecture}; a chat template{shows}."


def _sampling(header: GgufHeader) -> Sequence[str]:
    found = {
        name: header.metadata.get(f"general.sampling.{key}")
        for key, name in {**SAMPLING, REPEAT: "repeat_penalty"}.items()
    }
    lines = [
        f"{name} = {int(value) if name in WHOLE else round(float(value), 6)}"
        for name, value in found.items()
        if isinstance(value, (int, float))
    ]
    return ["[sampling]", *lines, ""] if lines else []


def _file(path: Path, progress: Progress) -> Iterator[str]:
    name = _quoted(path.name)
    yield "[[file]]"
    yield f"name = {name}"
    yield f"size = {path.stat().st_size:_}"
    yield f'sha256 = "{sha256(path, progress)}"'
    yield ""
    yield "[[source]]"
    yield 'kind = "path"'
    yield f"directory = {_quoted(str(path.resolve().parent))}"
    yield ""
    yield "[source.files]"
    yield f"{name} = {name}"


def sha256(path: Path, progress: Progress) -> str:
    """Of the whole file, in hexadecimal."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
            done += len(piece)
            progress("hash", done, total)
    return digest.hexdigest()


def slug(stem: str) -> str:
    """A name to be typed: lower case, without signs that a shell would read."""
    return re.sub(r"[^a-z0-9.]+", "-", stem.lower()).strip("-.") or "model"


def _quoted(text: str) -> str:
    """A TOML basic string, which JSON's strings are too."""
    return json.dumps(text, ensure_ascii=False)
