"""What `explain` returns: tables, and a page."""

import base64
import html
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from latentflix.errors import DataError
from latentflix.factors.labels import POLES
from latentflix.report.formatting import PAGE
from latentflix.report.headline import headline_sentence
from latentflix.report.inputs import ReportConfig, ReportInputs
from latentflix.report.page import build_opening, build_report, report_figures

_PICTURE = re.compile(r'(src|href)="((?!https?:|data:|#)[^"]+\.png)"')
_OPENING_HEIGHT = 560


@dataclass(frozen=True)
class Explanation:
    """What texts say of the factors of a recommender: tables, and a page."""

    inputs: ReportInputs
    config: ReportConfig

    @cached_property
    def figures(self) -> dict[str, Any]:
        """The headline: how many items, texts, factors there are, how many hold, and how well texts predict them."""
        return report_figures(self.inputs)

    @property
    def factors(self) -> pd.DataFrame:
        """Each factor: index factor; what `Factors.axes` and `PositionScores.axes` say of it, and plus and minus.

        These two are the names of its poles, empty where it has none.
        """
        table = self.inputs.axes.join(self.inputs.axis_scores.drop(columns="null", errors="ignore"), rsuffix="_score")
        named = {
            side: [self.inputs.names.get(f"{axis}{pole}", "") for axis in table.index]
            for side, pole in zip(("plus", "minus"), POLES, strict=True)
        }
        return table.assign(**named).rename_axis("factor")

    @property
    def positions(self) -> pd.DataFrame:
        """Where the items stand on the factors, in standard deviations: index item_id, as given, a column for each."""
        ids = self.inputs.items.loc[self.inputs.scores.index, "source_id"]
        return self.inputs.scores.set_axis(pd.Index(ids, name="item_id"), axis=0)

    @property
    def words(self) -> pd.DataFrame:
        """The words that mark each pole, as `Names.terms`."""
        return self.inputs.terms

    @property
    def names(self) -> pd.DataFrame:
        """The tests of the names: index label; name, and the columns of `Names.tests`."""
        tests = self.inputs.name_tests
        return tests.assign(name=[self.inputs.names[label] for label in tests.index])

    @property
    def readers(self) -> pd.DataFrame:
        """How well each reader predicts positions, as `PositionScores.readers`."""
        return self.inputs.reader_scores

    def to_html(self, path: str | Path) -> Path:
        """Write the page: one file if the name ends in .html, else a new folder with `index.html`. Returns its path.

        Raises DataError if the folder is not empty, or cannot be written.
        """
        path = Path(path)
        try:
            if path.suffix.lower() != ".html":
                if path.exists() and any(path.iterdir()):
                    raise DataError(
                        "the folder is not empty", where=str(path), hint="name a new one, or a file ending in .html"
                    )
                path.mkdir(parents=True, exist_ok=True)
                build_report(path, self.inputs, self.config)
                return path / PAGE
            with TemporaryDirectory() as folder:
                build_report(Path(folder), self.inputs, self.config)
                page = (Path(folder) / PAGE).read_text(encoding="utf-8")
                path.write_text(_PICTURE.sub(lambda found: _embed(Path(folder), found), page), encoding="utf-8")
        except OSError as error:
            raise DataError("the page cannot be written", where=str(path), found=str(error)) from error
        return path

    def _repr_html_(self) -> str:
        """The opening of the page, in a frame of its own, so that its style changes nothing else in a notebook."""
        page = html.escape(build_opening(self.inputs, self.config))
        return f'<iframe srcdoc="{page}" width="100%" height="{_OPENING_HEIGHT}" style="border:0"></iframe>'

    def __repr__(self) -> str:
        return f"Explanation({headline_sentence(self.figures, self.config.nouns)})"


def _embed(folder: Path, found: re.Match[str]) -> str:
    data = base64.b64encode((folder / found[2]).read_bytes()).decode()
    return f'{found[1]}="data:image/png;base64,{data}"'
