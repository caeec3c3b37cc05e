"""Markdown that shows what it is given as text, whatever stands in it."""

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# What may begin markup somewhere in a line. A character reference is never markup.
_MARKUP = re.compile(r"[&<>|`*_\[\]{}~#!\\]")


def escape(value: Any) -> str:
    """A text that can end no cell and start no markup."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", " ".join(str(value).split()))


def table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """The lines of a table; its cells are escaped."""
    body = ["| " + " | ".join(map(escape, row)) + " |" for row in rows]
    return ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names), *body]


def picture(path: Path, description: str) -> str:
    """A PNG that lies in the text itself, so that it shows wherever the text does."""
    data = base64.b64encode(path.read_bytes()).decode()
    return f"![{escape(description)}](data:image/png;base64,{data})"
