"""The house's plan as a test: imports point one way, and each foreign library has one home."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("edge_agent", "quantize")

# Who may import whom. A package may always import itself. A name with a dot is one module, and
# grants that module only.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "config": {"errors"},
    "catalog": {"errors", "config"},
    "engine": {"errors", "config"},
    "bench": {"engine", "chat", "errors", "config"},
    "chat": {"engine", "errors", "config"},
    "store": {"errors"},
    "tools": {"store", "errors", "config"},
    "agent": {"chat", "tools", "store", "engine.params", "errors", "config"},
    "doctor": {"catalog", "engine", "errors", "config"},
    "eval": {"agent", "chat", "tools", "engine.params", "errors", "config"},
    "server": {
        "agent",
        "chat",
        "store",
        "tools",
        "engine.counts",
        "engine.params",
        "errors",
        "config",
    },
    "cli": {
        "agent",
        "bench",
        "catalog",
        "chat",
        "config",
        "doctor",
        "engine",
        "errors",
        "eval",
        "server",
        "store",
        "tools",
    },
    "quantize": {"catalog.gguf", "catalog.cardfile", "chat", "errors"},
}

# Where a foreign library may be imported: a module, or a package ending in a dot.
HOMES: dict[str, tuple[str, ...]] = {
    "llama_cpp": (
        "engine.core.llama",
        "engine.core.log",
        "engine.core.sampler",
        "engine.fit.gpus",
        "engine.core.adapters",
        "chat.vocab",
        "bench.bare",
        "quantize.",
    ),
    "llguidance": ("engine.core.constraint",),
    "jinja2": ("chat.template",),
    "tiktoken": ("chat.vocab", "chat.bpe"),
    "httpx": ("tools.web.", "tools.search.endpoint", "bench.http", "chat.remote."),
    "httpcore": ("tools.web.",),
    "playwright": ("tools.web.chromium",),
    "charset_normalizer": ("tools.read.charset",),
    "trafilatura": ("tools.read.html",),
    "lxml": ("tools.read.markup", "tools.read.docx"),
    "pypdf": ("tools.read.pdf",),
    "ddgs": ("tools.search.metasearch",),
    "onnxruntime": ("tools.embed", "quantize."),
    "onnx": ("quantize.",),
    "tokenizers": ("tools.embed", "quantize.convert.proof"),
    "gguf": ("quantize.",),
    "sqlite3": ("store.",),
    "fastapi": ("server.",),
    "starlette": ("server.",),
    "uvicorn": ("server.", "cli."),
    "huggingface_hub": ("catalog.hub",),
    "typer": ("cli.",),
    "rich": ("cli.",),
    "platformdirs": ("config",),
    "psutil": ("engine.core.hands", "engine.fit.machine"),
    "pydantic_settings": ("config",),
    "mcp": ("tools.mcp.",),
    "mcp_types": ("tools.mcp.",),
    "httpx2": ("tools.mcp.",),
    "jsonschema": ("tools.mcp.",),
    "requests": (),
    "openai": (),
}


def module_name(path: Path) -> str:
    """`edge_agent/chat/vocab.py` is chat.vocab; quantize/gguf.py is quantize.gguf."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] == "edge_agent":
        parts = parts[1:]
    if parts and parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts)


def sources() -> dict[str, ast.Module]:
    """Every module of the product, parsed."""
    return {
        module_name(path): ast.parse(path.read_text(), str(path))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(full name, line) of everything imported anywhere below `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import on line {node.lineno}"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def inside(name: str) -> str | None:
    """The name within the house, or None for a foreign one."""
    if name == "quantize" or name.startswith("quantize."):
        return name
    return name.removeprefix("edge_agent.") if name.startswith("edge_agent.") else None


def allowed(module: str, target: str) -> bool:
    own = module.split(".")[0]
    if own in ("", "__main__") or target.split(".")[0] in (own, "__version__"):
        return True
    grants = MAY_IMPORT.get(own, set())
    return any(target == grant or target.startswith(f"{grant}.") for grant in grants)


def wrong_edges(modules: dict[str, ast.Module]) -> list[str]:
    return [
        f"{module}:{line} imports {target}"
        for module, tree in modules.items()
        for name, line in imported(tree)
        if (target := inside(name)) is not None and not allowed(module, target)
    ]


def homeless(modules: dict[str, ast.Module]) -> list[str]:
    return [
        f"{module}:{line} imports {name}"
        for module, tree in modules.items()
        for name, line in imported(tree)
        if (homes := HOMES.get(name.split(".")[0])) is not None
        and not any(at_home(module, home) for home in homes)
    ]


def at_home(module: str, home: str) -> bool:
    return f"{module}.".startswith(home) if home.endswith(".") else module == home


def hidden(modules: dict[str, ast.Module]) -> list[str]:
    """Imports inside functions and classes."""
    scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
    return sorted(
        {
            f"{module}:{line} imports {name} inside {getattr(scope, 'name', 'a lambda')}"
            for module, tree in modules.items()
            for scope in ast.walk(tree)
            if isinstance(scope, scopes)
            for name, line in imported(scope)
        }
    )


def edges(modules: dict[str, ast.Module]) -> dict[str, set[str]]:
    """module -> modules of the house it imports, itself left out."""
    graph: dict[str, set[str]] = {module: set() for module in modules}
    for module, tree in modules.items():
        for name, _ in imported(tree):
            target = inside(name)
            while target and target not in modules:
                target = target.rpartition(".")[0]
            if target and target != module:
                graph[module].add(target)
    return graph


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """Modules on a cycle, in order; empty when there is none."""
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for target in sorted(graph[module]):
            if found := walk(target, [*path, module]):
                return found
        done.add(module)
        return []

    return next((found for module in sorted(graph) if (found := walk(module, []))), [])


def test_every_package_is_in_the_table() -> None:
    tops = {name.split(".")[0] for name in sources()} - {"", "__main__"}
    assert tops <= set(MAY_IMPORT)


def test_imports_point_one_way() -> None:
    assert wrong_edges(sources()) == []


def test_no_import_hides_inside_a_function() -> None:
    assert hidden(sources()) == []


def test_no_import_cycle() -> None:
    assert cycle(edges(sources())) == []


def test_each_foreign_library_has_one_home() -> None:
    assert homeless(sources()) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("store.runs", "from edge_agent.agent.records import Run"),
        ("engine.core.llama", "import edge_agent.chat.vocab"),
        ("agent.loop", "from edge_agent.engine.client import Engine"),
        ("tools.web.client", "from edge_agent.catalog.card import Card"),
        ("quantize.gguf", "from edge_agent.catalog.pull import pull"),
    ],
)
def test_a_wrong_edge_is_seen(module: str, line: str) -> None:
    assert wrong_edges({module: ast.parse(line)})


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("agent.loop", "from edge_agent.engine.params import Usage"),
        ("cli.main", "from edge_agent.catalog.pull import pull"),
        ("chat.model", "from edge_agent.chat.vocab import Vocab"),
    ],
)
def test_a_right_edge_is_let_be(module: str, line: str) -> None:
    assert wrong_edges({module: ast.parse(line)}) == []


def test_a_hidden_import_a_cycle_and_a_strayed_library_are_seen() -> None:
    assert hidden({"cli.main": ast.parse("def f():\n    import os")})
    ring = {
        "agent.a": ast.parse("from edge_agent.agent import b"),
        "agent.b": ast.parse("from edge_agent.agent.a import f"),
    }
    assert cycle(edges(ring)) == ["agent.a", "agent.b", "agent.a"]
    assert homeless({"server.chat": ast.parse("import sqlite3")})
    assert homeless({"tools.websocket": ast.parse("import httpx")})
    assert homeless({"tools.web.client": ast.parse("import httpx")}) == []
