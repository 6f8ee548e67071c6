"""Every error this program raises, in one tree.

    EdgeAgentError
    ├── ConfigError              a setting, flag or file of settings is wrong
    ├── RequestError             what was asked cannot be done as asked
    │   ├── ContextOverflow      the prompt does not fit (n_prompt_tokens, n_ctx)
    │   ├── GrammarError         a schema or grammar that cannot be honoured
    │   └── NotSupported         a known feature that this build or model lacks
    ├── NotFound                 no model, run or library of that name
    ├── Conflict                 what a run has come to does not allow it
    ├── CatalogError             model cards and their files
    │   ├── PullError            no source delivered the file
    │   └── BadModelFile         cut, wrong hash, or not what the card says
    ├── EngineError              the engine process
    │   ├── ModelLoadError       the model could not be loaded
    │   ├── EngineCrashed        the process died with requests in flight
    │   └── EngineBusy           the queue is full (retry_after_s)
    ├── ToolError                the world did not answer; the model reads it
    │   ├── FetchError           one URL (url, kind)
    │   ├── SearchError          one search engine, or all of them (transient)
    │   │   └── SearchBusy       it is asked too often (retry_after_s)
    │   └── LibraryError         a folder of documents
    └── StoreError               the journal on disk

An error is data: its message is one sentence that says what happened and what to do. It never logs.
Where the sentence becomes an HTTP status is one table in `server/errors.py`.
"""

from __future__ import annotations

from typing import Any


class EdgeAgentError(Exception):
    """Root of the tree; `str(error)` is the sentence to show."""

    def __reduce__(self) -> tuple[Any, ...]:
        # errors cross the pipe between the two processes, whatever their constructors ask for
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(
    cls: type[EdgeAgentError], args: tuple[Any, ...], attributes: dict[str, Any]
) -> EdgeAgentError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(attributes)
    return error


class ConfigError(EdgeAgentError):
    """A setting, a flag or the settings file is wrong."""


class RequestError(EdgeAgentError):
    """The request cannot be carried out as it stands; `param` names the field at fault."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class ContextOverflow(RequestError):
    """A prompt of `n_prompt_tokens` does not fit a window of `n_ctx` tokens."""

    def __init__(self, n_prompt_tokens: int, n_ctx: int) -> None:
        super().__init__(
            f"The prompt has {n_prompt_tokens} tokens but the context window holds {n_ctx}: "
            "shorten the messages or start the server with a larger --ctx-size.",
            param="messages",
        )
        self.n_prompt_tokens = n_prompt_tokens
        self.n_ctx = n_ctx


class GrammarError(RequestError):
    """A JSON Schema, regex or grammar that cannot be honoured."""


class NotSupported(RequestError):
    """A feature that exists elsewhere and that this build or model lacks."""


class NotFound(EdgeAgentError):
    """No model, run or library of that name; the message lists what there is."""


class Conflict(EdgeAgentError):
    """What is asked of a run does not go together with what it has come to."""


class CatalogError(EdgeAgentError):
    """Something about model cards or model files."""


class PullError(CatalogError):
    """No source of a card delivered its file; the message says what each one answered."""


class BadModelFile(CatalogError):
    """A model file that is cut, has the wrong hash, or is not a GGUF."""


class EngineError(EdgeAgentError):
    """The engine process could not do its work."""


class ModelLoadError(EngineError):
    """The model could not be loaded: the message says why and what would fit."""


class EngineCrashed(EngineError):
    """The engine process died while the request was in flight; it is being restarted."""


class EngineBusy(EngineError):
    """The queue is full; try again after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ToolError(EdgeAgentError):
    """A tool could not do what was asked; the model reads the message as an observation."""


class FetchError(ToolError):
    """One URL could not be read.

    `kind` is one of: invalid, refused, unreachable, timeout, status, too_large, unsupported, empty.
    """

    def __init__(self, message: str, url: str, kind: str) -> None:
        super().__init__(message)
        self.url = url
        self.kind = kind


class SearchError(ToolError):
    """A search engine, or every configured one, failed. transient: a second try may help."""

    def __init__(self, message: str, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class SearchBusy(SearchError):
    """An engine refuses more queries for now; `retry_after_s` is None when it does not say for how
    long."""

    def __init__(self, message: str, retry_after_s: float | None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LibraryError(ToolError):
    """A folder of documents that cannot be indexed or read."""


class StoreError(EdgeAgentError):
    """The journal on disk cannot be opened or written."""
