"""Reads a model card from TOML: the file's shape is checked by pydantic and becomes a Card."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_agent.catalog.card import (
    Card,
    HubSpec,
    Kind,
    ModelFile,
    PathSpec,
    Prepare,
    SourceSpec,
    WheelsSpec,
)
from edge_agent.errors import CatalogError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PLAIN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
FileName = Annotated[str, Field(pattern=PLAIN_NAME)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _File(_Table):
    name: FileName
    size: int | None = Field(None, gt=0)
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")

    def build(self) -> ModelFile:
        return ModelFile(self.name, self.size, self.sha256)


class _Hub(_Table):
    kind: Literal["hub"]
    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = "main"
    files: dict[FileName, str]

    def build(self, base: Path) -> SourceSpec:
        return HubSpec(self.repo, self.files, self.revision)


class _Wheels(_Table):
    kind: Literal["wheels"]
    requirement: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._{}-]*==[0-9][0-9A-Za-z.]*$")
    parts: int = Field(1, ge=1)
    files: dict[FileName, str]

    @model_validator(mode="after")
    def _numbered(self) -> _Wheels:
        if self.parts > 1 and "{n}" not in self.requirement:
            raise ValueError("a requirement of several parts must hold {n}")
        return self

    def build(self, base: Path) -> SourceSpec:
        return WheelsSpec(self.requirement, self.files, self.parts)


class _Path(_Table):
    kind: Literal["path"]
    directory: Path
    files: dict[FileName, str]

    def build(self, base: Path) -> SourceSpec:
        return PathSpec(base / self.directory.expanduser(), self.files)


class _Prepare(_Table):
    kind: Literal["onnx-int8"]
    source: FileName
    target: FileName
    consumes: tuple[FileName, ...]

    def build(self) -> Prepare:
        return Prepare(self.kind, self.source, self.target, self.consumes)


class _Sampling(_Table):
    temperature: float | None = Field(None, ge=0)
    top_k: int | None = Field(None, ge=0)
    top_p: float | None = Field(None, gt=0, le=1)
    min_p: float | None = Field(None, ge=0, le=1)
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repeat_penalty: float | None = Field(None, gt=0)


class _CardFile(_Table):
    name: FileName
    title: str
    kind: Kind = "chat"
    licence: str
    parameters: int = Field(gt=0)
    context_length: int = Field(gt=0)
    default_context: int = Field(gt=0)
    memory_bytes: int = Field(gt=0)
    profile: str
    rank: int
    note: str = ""
    sampling: _Sampling = _Sampling()
    file: tuple[_File, ...] = Field(min_length=1)
    source: tuple[Annotated[_Hub | _Wheels | _Path, Field(discriminator="kind")], ...] = Field(
        min_length=1
    )
    prepare: _Prepare | None = None

    @model_validator(mode="after")
    def _every_source_has_every_file(self) -> _CardFile:
        names = {file.name for file in self.file}
        for source in self.source:
            if set(source.files) != names:
                raise ValueError(f"the {source.kind} source must name exactly {sorted(names)}")
        return self

    def build(self, base: Path) -> Card:
        return Card(
            name=self.name,
            title=self.title,
            kind=self.kind,
            licence=self.licence,
            parameters=self.parameters,
            context_length=self.context_length,
            default_context=self.default_context,
            memory_bytes=self.memory_bytes,
            profile=self.profile,
            rank=self.rank,
            files=tuple(file.build() for file in self.file),
            sources=tuple(source.build(base) for source in self.source),
            sampling=self.sampling.model_dump(exclude_none=True),
            prepare=self.prepare.build() if self.prepare else None,
            note=self.note,
        )


def read_card(path: Path) -> Card:
    """The card in a TOML file; paths in it are relative to its folder. Raises CatalogError."""
    try:
        with path.open("rb") as file:
            return _CardFile.model_validate(tomllib.load(file)).build(path.parent)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise CatalogError(f"Model card {path}: {where}: {first['msg']}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(f"Model card {path} is not valid TOML: {error}.") from None
    except OSError as error:
        raise CatalogError(f"Model card {path} cannot be read: {error.strerror}.") from None
