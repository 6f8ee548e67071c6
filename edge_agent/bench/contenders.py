"""What can be measured beside the engine on this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from edge_agent.bench.servers import has_modules, llama_cpp_server, own_server, xllamacpp
from edge_agent.bench.subject import Contender
from edge_agent.bench.words import Words

LLAMA_CPP_SERVER = ("llama_cpp", "starlette_context")  # the second is what its server needs


def contenders_of(words: Words, ends: frozenset[int], peer_python: str) -> Sequence[Contender]:
    """The own server, and the peers that `peer_python` (else this interpreter) can import."""
    python = peer_python or sys.executable
    found: list[Contender] = [own_server(words)]
    if has_modules(python, ["xllamacpp"]):
        found.append(xllamacpp(words, python))
    if has_modules(python, LLAMA_CPP_SERVER):
        found.append(llama_cpp_server(words, ends, python))
    return found
