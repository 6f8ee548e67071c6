"""The model hub: huggingface_hub finds the file and its hash, and its bytes come in resumably.

The library's own download deletes what it has when the line is cut, so only its protocol is used
(addresses, token, metadata, errors); the bytes are read here with HTTP ranges and kept.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

from huggingface_hub import HfApi, HfFileMetadata, get_hf_file_metadata, get_token, hf_hub_url

from edge_agent.catalog.card import HubSpec
from edge_agent.catalog.progress import Progress, Step
from edge_agent.errors import BadModelFile, PullError

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 5.0
ATTEMPTS = 4  # in a row that brought nothing new
SHA256 = re.compile(r"^[0-9a-f]{64}$")
GIT_SHA1 = re.compile(r"^[0-9a-f]{40}$")


class HubSource:
    """A repository on the hub.

    endpoint: None takes HF_ENDPOINT or the public one. pause_s: seconds before the first retry.
    """

    def __init__(
        self,
        spec: HubSpec,
        endpoint: str | None = None,
        pause_s: float = 1.0,
        token: Callable[[], str | None] = get_token,
    ) -> None:
        self._spec = spec
        self._token = token
        self._endpoint = endpoint
        self._pause_s = pause_s

    @property
    def label(self) -> str:
        return f"hub {self._spec.repo}"

    def answers(self) -> bool:
        """Whether the hub has the first file and says so within a few seconds."""
        try:
            self._metadata(self._remote(next(iter(self._spec.files.values()))), ANSWER_TIMEOUT_S)
        except PullError:
            return False
        return True

    def fetch(self, folder: Path, progress: Progress) -> Mapping[str, str | None]:
        """Bring every file; continue what is there. Raises PullError or BadModelFile."""
        return {
            name: self._fetch_one(self._remote(pattern), folder / name, progress)
            for name, pattern in self._spec.files.items()
        }

    def _remote(self, pattern: str) -> str:
        """The path in the repository that a name or glob stands for."""
        if not any(mark in pattern for mark in "*?["):
            return pattern
        try:
            api = HfApi(endpoint=self._endpoint)
            paths = api.list_repo_files(self._spec.repo, revision=self._spec.revision)
        except Exception as error:  # the hub's client lets its HTTP library's errors through
            raise self._refused("the list of files", error) from None
        matches = sorted(path for path in paths if fnmatchcase(path, pattern))
        if not matches:
            raise PullError(f"{self._spec.repo} has no file that matches {pattern}.")
        return matches[0]

    def _metadata(self, path: str, timeout_s: float = TIMEOUT_S) -> HfFileMetadata:
        spec = self._spec
        try:
            url = hf_hub_url(spec.repo, path, revision=spec.revision, endpoint=self._endpoint)
            return get_hf_file_metadata(url, timeout=timeout_s, token=self._token())
        except Exception as error:  # as above
            raise self._refused(path, error) from None

    def _refused(self, what: str, error: Exception) -> PullError:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return PullError(f"the hub did not deliver {what} of {self._spec.repo}: {reason}")

    def _fetch_one(self, path: str, target: Path, progress: Progress) -> str | None:
        about = self._metadata(path)
        self._forget_other_version(target, about)
        failures = 0
        while not _complete(target, about.size):
            before = _size(target)
            try:
                self._append(about, target, progress)
            except (OSError, http.client.HTTPException) as error:
                failures = 0 if _size(target) > before else failures + 1
                if failures >= ATTEMPTS:
                    raise self._cut(path, target, about, error) from None
                time.sleep(self._pause_s * (failures + 1))
                about = self._metadata(path)  # a signed address may have run out
        return _stated_sha256(target, about.etag)

    def _cut(self, path: str, target: Path, about: HfFileMetadata, error: Exception) -> PullError:
        return PullError(
            f"the line to the hub broke at {_size(target):,} of {about.size or 0:,} bytes of "
            f"{path} ({error}); pull again to continue from there."
        )

    def _append(self, about: HfFileMetadata, target: Path, progress: Progress) -> None:
        """One request for what is missing. An answer without ranges begins anew."""
        have = _size(target)
        request = self._request(about, have)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            resumed = have > 0 and answer.status == 206
            with target.open("ab" if resumed else "wb") as out:
                done = have if resumed else 0
                while chunk := answer.read(CHUNK_BYTES):
                    out.write(chunk)
                    done += len(chunk)
                    progress(Step(f"downloading {target.name}", done, about.size or 0))
        if about.size is None:
            _mark_whole(target)
        elif done != about.size:
            raise OSError(f"the answer brought it to {done:,} bytes")

    def _request(self, about: HfFileMetadata, have: int) -> urllib.request.Request:
        """The token goes to the hub itself and to nobody it redirects to."""
        home = urlsplit(hf_hub_url(self._spec.repo, "x", endpoint=self._endpoint)).netloc
        headers = {"Accept-Encoding": "identity", "User-Agent": "edge-agent"}
        if have:
            headers["Range"] = f"bytes={have}-"
        request = urllib.request.Request(about.location, headers=headers)
        token = self._token()
        if token and urlsplit(about.location).netloc == home:
            request.add_unredirected_header("Authorization", f"Bearer {token}")
        return request

    def _forget_other_version(self, target: Path, about: HfFileMetadata) -> None:
        """A half file of another version of the repository cannot be continued."""
        note = target.with_name(f".{target.name}.etag")
        if not note.exists() or note.read_text() != (about.etag or ""):
            target.unlink(missing_ok=True)
            note.write_text(about.etag or "")
        elif about.size is not None and _size(target) > about.size:
            target.unlink()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _whole_mark(target: Path) -> Path:
    return target.with_name(f".{target.name}.whole")


def _mark_whole(target: Path) -> None:
    _whole_mark(target).touch()


def _complete(target: Path, size: int | None) -> bool:
    return _whole_mark(target).exists() if size is None else _size(target) == size


def _stated_sha256(target: Path, etag: str | None) -> str | None:
    """The hub's own hash: sha256 for large files; a git blob's sha1 is checked here."""
    if etag and SHA256.match(etag):
        return etag
    if etag and GIT_SHA1.match(etag):
        data = target.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
        if blob.hexdigest() != etag:
            raise BadModelFile(f"{target.name} has not the hash the hub states for it.")
    return None
