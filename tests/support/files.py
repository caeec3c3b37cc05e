"""Folders and archives of given files, and the files of the Large Movie Review Dataset."""

import io
import tarfile
import zipfile
from pathlib import Path

Files = dict[str, bytes]


def write_folder(folder: Path, files: Files) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_zip(path: Path, files: Files, inner: str = "ml-25m/") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(inner + name, content)
    return path


def write_tar(path: Path, files: Files, inner: str = "aclImdb/") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(inner + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def large_movie_files(reviews: dict[tuple[str, str], list[tuple[str, str, int]]]) -> Files:
    """The files of the data set. reviews: text, tconst and stars of the reviews of each half and label."""
    files = {}
    for (half, label), rows in reviews.items():
        urls = [f"http://www.imdb.com/title/{tconst}/usercomments\n" for _, tconst, _ in rows]
        files[f"{half}/urls_{label}.txt"] = "".join(urls).encode()
        for number, (text, _, stars) in enumerate(rows):
            files[f"{half}/{label}/{number}_{stars}.txt"] = text.encode()
    return files
