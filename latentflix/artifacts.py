"""Results on disk, complete or not there at all: an artifact is a folder whose `manifest.json` names every file."""

import hashlib
import json
import logging
import platform
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, TypeAdapter
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from latentflix.config import StageConfig
from latentflix.errors import ArtifactError
from latentflix.system.disk import advice, discard, hidden_folder, write_through
from latentflix.system.locks import wait_for_lock

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
CHECKPOINTS, LOCKS = ".checkpoints", ".locks"
_VERSIONS_OF = ("torch", "fastai", "pandas", "numpy", "scikit-learn", "spacy")


class Handle(BaseModel):
    """Names an artifact between stages: its stage and its key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    key: str


class Manifest(BaseModel):
    """What an artifact is and what made it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    key: str
    inputs: dict[str, tuple[Handle, ...]]
    config: dict[str, Any]
    files: dict[str, str]
    metrics: dict[str, Any]
    versions: dict[str, str]
    made_at: str
    seconds: float

    @property
    def input_handles(self) -> list[Handle]:
        """All inputs, in the order in which they were passed."""
        return [handle for handles in self.inputs.values() for handle in handles]


Record = TypeVar("Record")
Arrays = dict[str, np.ndarray]
Inputs = Mapping[str, tuple[Handle, ...]]
"""By parameter of the function that makes an artifact: the artifacts that it reads."""


def file_sha256(path: Path) -> str:
    """Compute the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Artifact:
    """An artifact that is being made: its files are written here, and appear under its key all at once.

    checkpoints: a folder, perhaps not there yet, from which a run that was killed goes on; removed at the end.
    """

    handle: Handle
    folder: Path
    checkpoints: Path
    metrics: dict[str, Any] = field(default_factory=dict)

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a table as `<name>.parquet`, with its index."""
        pq.write_table(pa.Table.from_pandas(table), self.folder / f"{name}.parquet")

    def write_tables(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Write tables by name, and count their rows in the metrics, as `<name>_rows`."""
        for name, table in tables.items():
            self.write_table(name, table)
            self.metrics[f"{name}_rows"] = len(table)

    def write(self, record: Any, prefix: str = "") -> None:
        """Write a dataclass, a file for each field, named with the prefix; `Store.read` reads it.

        Fields may be tables, series, arrays, arrays by name (once or twice), dataclasses of these, or JSON values.
        """
        for field_name, kind in _field_types(type(record)).items():
            name, value = prefix + field_name, getattr(record, field_name)
            match kind:
                case _ if kind is pd.DataFrame:
                    self.write_table(name, value)
                case _ if kind is pd.Series:
                    self.write_table(name, value.to_frame())
                case _ if kind is np.ndarray:
                    self.write_arrays(name, {name: value})
                case _ if kind == Arrays:
                    self.write_arrays(name, value)
                case _ if kind == dict[str, Arrays]:
                    self.write_json(name, list(value))
                    for key, arrays in value.items():
                        self.write_arrays(f"{name}_{key}", arrays)
                case _ if is_dataclass(kind):
                    self.write(value, f"{name}_")
                case _:
                    self.write_json(name, TypeAdapter(kind).dump_python(value, mode="json"))

    def write_json(self, name: str, value: Any) -> None:
        """Write a value as `<name>.json`."""
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
        (self.folder / f"{name}.json").write_text(text, encoding="utf-8")

    def write_arrays(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Write named arrays or weights as `<name>.safetensors`."""
        # safetensors writes the memory behind an array as it lies there, whatever its strides say.
        contiguous = {key: np.asarray(array, order="C") for key, array in arrays.items()}
        save_file(contiguous, self.folder / f"{name}.safetensors")

    def write_array(self, name: str, array: np.ndarray) -> None:
        """Write one array of one dimension as `<name>.arrow`, which can be memory-mapped."""
        batch = pa.record_batch([pa.array(array)], names=[name])
        with pa.OSFile(str(self.folder / f"{name}.arrow"), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
            writer.write_batch(batch)


@dataclass(frozen=True)
class Store:
    """The artifacts below one folder."""

    root: Path

    def path(self, handle: Handle) -> Path:
        """The folder of an artifact, whether it is there or not."""
        return self.root / handle.stage / handle.key

    def handles(self, stage: str) -> list[Handle]:
        """List the artifacts of a stage, in no order."""
        return [Handle(stage=stage, key=path.parent.name) for path in self.root.glob(f"{stage}/[!.]*/{MANIFEST}")]

    def lock(self, handle: Handle) -> Path:
        """The file that a run locks while it makes an artifact."""
        return self.root / LOCKS / handle.stage / handle.key

    def find_problem(self, handle: Handle) -> str | None:
        """Say what is wrong with an artifact; None if it is there and every file is as it was written."""
        folder = self.path(handle)
        try:
            manifest = self.manifest(handle)
            if (manifest.stage, manifest.key) != (handle.stage, handle.key):
                return f"{folder} holds another artifact; found: {manifest.stage} {manifest.key}"
            present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
            if present != set(manifest.files):
                return f"files in {folder}; found: {sorted(present)}; expected: {sorted(manifest.files)}"
            for name, expected in manifest.files.items():
                found = file_sha256(folder / name)
                if found != expected:
                    return f"{folder / name} was altered; found: sha256 {found}; expected: sha256 {expected}"
        except (ArtifactError, OSError) as error:
            # Another run may replace files while they are read.
            return str(error)
        return None

    def manifest(self, handle: Handle) -> Manifest:
        """Read the manifest of an artifact. Raises ArtifactError if it is missing or cannot be read."""
        path = self.path(handle) / MANIFEST
        try:
            return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ArtifactError("there is no such artifact", where=str(path), hint="run the flow again") from error
        except (OSError, ValueError) as error:
            raise _unreadable("a manifest cannot be read", path, error) from error

    def ensure(self, handle: Handle, inputs: Inputs, config: StageConfig, make: Callable[[Artifact], None]) -> Handle:
        """Let `make` fill an artifact, unless it is there as it was written.

        Of several runs that need it, one makes it, and the others wait. Raises ArtifactError as `new` does.
        """
        if self.find_problem(handle) is None:
            return handle
        try:
            lock = wait_for_lock(self.lock(handle), handle.stage)
        except OSError as error:
            raise _unwritable(self.path(handle), error) from error
        with lock:
            problem = self.find_problem(handle)
            if problem is None:
                return handle
            if self.path(handle).exists():
                logger.warning("%s is made anew: %s", handle.stage, problem)
            with self.new(handle, inputs, config) as artifact:
                make(artifact)
        return handle

    @contextmanager
    def new(self, handle: Handle, inputs: Inputs, config: StageConfig) -> Iterator[Artifact]:
        """Make an artifact, also if another run makes the same: at the end of the body its files appear under the key.

        If the body fails, or the process dies in it, nothing appears. Raises ArtifactError if the disk is full or
        cannot be written.
        """
        started = time.monotonic()
        try:
            with hidden_folder(self.path(handle)) as folder:
                artifact = Artifact(handle, folder, self.root / CHECKPOINTS / handle.stage / handle.key)
                yield artifact
                self._publish(artifact, inputs, config, time.monotonic() - started)
            shutil.rmtree(artifact.checkpoints, ignore_errors=True)
        except (OSError, SafetensorError) as error:
            if advice(error):
                raise _unwritable(self.path(handle), error) from error
            raise

    def _publish(self, artifact: Artifact, inputs: Inputs, config: StageConfig, seconds: float) -> None:
        folder, handle = artifact.folder, artifact.handle
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        manifest = Manifest(
            stage=handle.stage,
            key=handle.key,
            inputs=dict(inputs),
            config=config.model_dump(mode="json"),
            files={str(path.relative_to(folder)): file_sha256(path) for path in files},
            metrics=artifact.metrics,
            versions={"python": platform.python_version(), **{name: version(name) for name in _VERSIONS_OF}},
            made_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            seconds=round(seconds, 3),
        )
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
        for path in [*files, folder / MANIFEST]:
            write_through(path)
        destination = self.path(handle)
        if destination.exists() and self.find_problem(handle):
            discard(destination, folder.with_name(f"{folder.name}-old"))
        try:
            folder.rename(destination)
        except OSError:
            # Another run may have made the same artifact meanwhile; then either of the two is right.
            if self.find_problem(handle):
                raise

    def file(self, handle: Handle, name: str) -> Path:
        """The path of a file of an artifact. Raises ArtifactError if it is missing, altered, or cannot be read."""
        path = self.path(handle) / name
        expected = self.manifest(handle).files.get(name)
        try:
            found = f"sha256 {file_sha256(path)}" if path.is_file() else "no such file"
        except OSError as error:
            raise _unreadable("a file of an artifact cannot be read", path, error) from error
        if found != f"sha256 {expected}":
            raise ArtifactError(
                "a file of an artifact was altered by hand",
                where=str(path),
                found=found,
                expected=f"sha256 {expected}" if expected else "a file that its manifest names",
                hint="run the flow again: it makes the artifact anew",
            )
        return path

    def read_table(self, handle: Handle, name: str) -> pd.DataFrame:
        """Read the table `<name>.parquet` of an artifact. Raises ArtifactError as `file` does."""
        table = pd.read_parquet(self.file(handle, f"{name}.parquet"))
        # Arrow keeps what it read a table through: for 25 million ratings as much memory as the table itself.
        pa.default_memory_pool().release_unused()
        return table

    def read_tables(self, handle: Handle, names: Iterable[str]) -> dict[str, pd.DataFrame]:
        """Read those of these tables that an artifact has. Raises ArtifactError as `file` does."""
        files = self.manifest(handle).files
        return {name: self.read_table(handle, name) for name in names if f"{name}.parquet" in files}

    def read(self, handle: Handle, record: type[Record], prefix: str = "") -> Record:
        """Read a dataclass that `Artifact.write` wrote with the same prefix. Raises ArtifactError as `file` does."""
        return record(**{name: self.read_field(handle, record, name, prefix) for name in _field_types(record)})

    def read_field(self, handle: Handle, record: type, name: str, prefix: str = "") -> Any:
        """Read one field of a dataclass that `Artifact.write` wrote. Raises ArtifactError as `file` does."""
        kind, name = _field_types(record)[name], prefix + name
        if kind is pd.DataFrame:
            return self.read_table(handle, name)
        if kind is pd.Series:
            return self.read_table(handle, name).iloc[:, 0]
        if kind is np.ndarray:
            return self.read_arrays(handle, name)[name]
        if kind == Arrays:
            return self.read_arrays(handle, name)
        if kind == dict[str, Arrays]:
            return {key: self.read_arrays(handle, f"{name}_{key}") for key in self.read_json(handle, name)}
        if isinstance(kind, type) and is_dataclass(kind):
            return self.read(handle, kind, f"{name}_")
        return TypeAdapter(kind).validate_python(self.read_json(handle, name))

    def read_json(self, handle: Handle, name: str) -> Any:
        """Read the value of `<name>.json` of an artifact. Raises ArtifactError as `file` does."""
        return json.loads(self.file(handle, f"{name}.json").read_text(encoding="utf-8"))

    def read_arrays(self, handle: Handle, name: str) -> dict[str, Any]:
        """Read the arrays of `<name>.safetensors` of an artifact. Raises ArtifactError as `file` does."""
        path = self.file(handle, f"{name}.safetensors")
        try:
            return load_file(path)
        except SafetensorError as error:
            raise _unreadable("weights cannot be read", path, error) from error

    def map_array(self, handle: Handle, name: str) -> np.ndarray:
        """Map the array `<name>.arrow` of an artifact from disk, read-only. Raises ArtifactError as `file` does."""
        file = pa.memory_map(str(self.file(handle, f"{name}.arrow")))
        return pa.ipc.open_file(file).get_batch(0).column(0).to_numpy(zero_copy_only=True)


def _unreadable(what: str, path: Path, error: Exception) -> ArtifactError:
    return ArtifactError(
        what,
        where=str(path),
        found=next(iter(str(error).splitlines()), type(error).__name__),
        hint=advice(error) or "remove the folder and run the flow again",
    )


def _unwritable(place: Path, error: Exception) -> ArtifactError:
    return ArtifactError(
        "an artifact cannot be written",
        where=str(place),
        found=str(error),
        expected="a folder with free space that may be written to",
        hint=", or ".join(filter(None, (advice(error), "name another folder with --artifacts-dir"))),
    )


def _field_types(record: type) -> dict[str, Any]:
    """The types of a dataclass's fields, without its class variables."""
    return {each.name: get_type_hints(record)[each.name] for each in fields(record)}
