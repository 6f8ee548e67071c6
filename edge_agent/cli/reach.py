"""What an agent can reach, from flags and settings."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edge_agent.cli.browsing import web_client
from edge_agent.config import Settings
from edge_agent.errors import ConfigError
from edge_agent.tools.library.folder import Folder
from edge_agent.tools.library.kind import AnyLibrary
from edge_agent.tools.library.library import Library
from edge_agent.tools.library.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Reach:
    """What the agent of a house can reach: libraries by name, and the web."""

    libraries: Mapping[str, AnyLibrary]
    search_urls: tuple[str, ...]
    web_search: bool
    allow_hosts: tuple[str, ...]


def reach_of(settings: Settings, libraries: Sequence[str], search: Sequence[str]) -> Reach:
    """What the flags add to the settings; hosts named on the command line may be fetched from.

    Of the libraries on the device's shelf those that a flag names, or all when no flag names any
    library. Raises ConfigError.
    """
    shelf = shelf_of(settings)
    known = shelf.names()
    named = [each for each in libraries if each in known and not Path(each).expanduser().is_dir()]
    folders = shelves_of(settings, [each for each in libraries if each not in named])
    urls = tuple(search) or settings.search_url
    hosts = tuple(map(_host, urls))
    on_shelf: dict[str, AnyLibrary] = {
        name: shelf.open(name) for name in (named if libraries else known)
    }
    return Reach(
        {**on_shelf, **{name: library_at(name, at, settings) for name, at in folders.items()}},
        urls,
        settings.web_search,
        (*settings.allow_hosts, *hosts),
    )


def shelves_of(settings: Settings, libraries: Sequence[str]) -> dict[str, Path]:
    """Folders by library name, each `FOLDER` or `NAME=FOLDER`. Raises ConfigError."""
    shelves = dict(settings.libraries)
    own: set[str] = set()
    for given in libraries:
        name, folder = _split(given)
        if name in own:
            raise ConfigError(f"Two libraries are named {name}: tell them apart with NAME=FOLDER.")
        own.add(name)
        shelves[name] = folder
    for name, folder in shelves.items():
        if not folder.expanduser().is_dir():
            raise ConfigError(f"Library {name}: {folder} is not a folder. Name one of documents.")
    return {name: folder.expanduser() for name, folder in shelves.items()}


def _split(given: str) -> tuple[str, Path]:
    # a folder may have = in its name, and then needs no other
    path = Path(given).expanduser()
    if not path.is_dir() and "=" in given:
        name, _, folder = given.partition("=")
        path = Path(folder).expanduser()
        return name or path.resolve().name, path
    return path.resolve().name, path


def library_at(name: str, folder: Path, settings: Settings, base_url: str | None = None) -> Library:
    """A library over a folder, indexed in the cache; the index follows the folder."""
    where = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    index = settings.cache_dir / "libraries" / f"{where}.sqlite"
    try:
        index.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{index.parent} cannot be made: {error.strerror}. Name another folder in "
            "EDGE_AGENT_CACHE_DIR."
        ) from None
    return Library(name, Folder(folder), index, base_url or "")


def shelf_of(settings: Settings) -> Shelf:
    """The libraries that `edge-agent library` made on this device."""
    folder = settings.data_dir / "libraries"
    return Shelf(folder, lambda: web_client(settings))


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is not a number, brackets that do not close
        good = False
    if not good:
        raise ConfigError(f"--search takes a URL such as http://127.0.0.1:8888, not {url!r}.")
    host = parts.netloc.rpartition("@")[2].rstrip(":")
    # with its port always: an entry without one would open every port of the host
    return host if parts.port else f"{host}:{443 if parts.scheme == 'https' else 80}"
