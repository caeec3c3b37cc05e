"""fastai's published WikiText-103 language models: downloaded, checked, and read without running a pickle."""

import io
import pickle
import tarfile
import zlib
from pathlib import Path
from typing import NoReturn

import torch
from pydantic import ConfigDict, TypeAdapter

from latentflix.config import StageConfig, setting
from latentflix.data.download import FASTAI_CHECK, DataSet, SourceFile, find_file
from latentflix.errors import DataError
from latentflix.system.disk import advice
from latentflix.text.language_model import Direction, LanguageModel


class PretrainedConfig(StageConfig):
    """Which of the two models, and where its archive may be on this machine."""

    direction: Direction = setting("forward", "whether it reads forward or backward")
    data_dir: Path | None = setting(None, "a folder with data sets, searched first", exclude=True)
    cache_dir: Path | None = setting(None, "where downloads are stored", exclude=True)


_PUBLISHED = TypeAdapter(dict[str, torch.Tensor], config=ConfigDict(arbitrary_types_allowed=True))
_TOKENS = TypeAdapter(list[str], config=ConfigDict(strict=True))
_UNREADABLE = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError, zlib.error),
    *(tarfile.TarError, pickle.UnpicklingError),
)


class _OnlyBuiltins(pickle.Unpickler):
    """Reads lists and strings; refuses what would import or call something."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"{module}.{name} in a vocabulary")


def read_archive(path: Path) -> LanguageModel:
    """The weights and vocabulary of one of fastai's archives. Raises DataError if it holds something else.

    The weights are a torch file, loaded with `weights_only`, the vocabulary is a pickled list of strings, read by an
    unpickler that can build nothing else.
    """
    try:
        with tarfile.open(path) as archive:
            members = {Path(member.name).suffix: member for member in archive if member.isfile()}
            state = torch.load(_read(archive, members[".pth"]), map_location="cpu", weights_only=True)
            vocabulary = _OnlyBuiltins(_read(archive, members[".pkl"])).load()
            # gzip checks the checksum only at the end of the file.
            while archive.fileobj and archive.fileobj.read(2**20):
                pass
        weights = _PUBLISHED.validate_python(state.get("model", state) if isinstance(state, dict) else state)
        return LanguageModel(
            {name: tensor.float().numpy() for name, tensor in weights.items()}, _TOKENS.validate_python(vocabulary)
        )
    except _UNREADABLE as error:
        raise DataError(
            "the archive of a pretrained language model cannot be read",
            where=str(path),
            found=str(error),
            expected="one .pth file of weights and one .pkl file with a list of tokens",
            hint=advice(error) or "download the archive again",
        ) from error


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> io.BytesIO:
    file = archive.extractfile(member)
    return io.BytesIO(file.read() if file else b"")


def _published(direction: Direction, name: str, check: str) -> DataSet:
    url, known_hash = f"https://s3.amazonaws.com/fast-ai-modelzoo/{name}", f"{FASTAI_CHECK}:{check}"
    return DataSet(
        f"WikiText-103 language model, {direction}",
        "Apache 2.0 (fastai)",
        "https://docs.fast.ai/text.models.awdlstm.html",
        (SourceFile(name, url, known_hash, read_archive),),
    )


WIKITEXT_103: dict[Direction, DataSet] = {
    "forward": _published("forward", "wt103-fwd.tgz", "105067061-7d1114cd9684bf9d1ca3c9f6a54da6f9"),
    "backward": _published("backward", "wt103-bwd.tgz", "105205312-20b06f5830fd5a891d21044c28d3097f"),
}


def load_wikitext(config: PretrainedConfig) -> LanguageModel:
    """The WikiText-103 model of a direction. Raises DataError if it cannot be downloaded or read."""
    source, path = find_file(WIKITEXT_103[config.direction], config.data_dir, config.cache_dir)
    model: LanguageModel = source.read(path)
    return model
