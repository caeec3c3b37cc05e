"""From Python: what the factors of any recommender mean, in the words of texts about its items."""

import base64
import html
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError
from tqdm.auto import tqdm

from latentflix.artifacts import Manifest
from latentflix.config import StageConfig, setting
from latentflix.data.items import are_counted, describe_items, index_table
from latentflix.data.ratings import without_ratings
from latentflix.errors import DataError, SettingsError
from latentflix.factors.crossfit import CrossFit, cross_fit
from latentflix.factors.documents import (
    DocumentConfig,
    Documents,
    LeftOutConfig,
    gather_documents,
    leave_out_kind,
    review_parts,
    separable_kinds,
)
from latentflix.factors.extraction import FactorConfig, extract_factors
from latentflix.factors.histograms import HistogramConfig, count_votes, score_reviews
from latentflix.factors.inference import EvaluationConfig, PositionScores, score_positions
from latentflix.factors.labels import POLES, LabelConfig, label_items
from latentflix.factors.naming import NameConfig, find_names
from latentflix.factors.readers.metadata import mean_ratings
from latentflix.factors.readers.registry import ReadersConfig, build_readers, fit_to_size
from latentflix.factors.readers.stacked import STACKED
from latentflix.factors.readers.topics import NONE_HELD_OUT, find_topics
from latentflix.recommender.item_vectors import Vectors, align_fits, frame_vectors
from latentflix.report.formatting import PAGE
from latentflix.report.headline import headline, headline_sentence
from latentflix.report.inputs import ReportConfig, ReportInputs
from latentflix.report.page import build_opening, build_report
from latentflix.reviews.texts import join_texts

Made = TypeVar("Made")

_N_STEPS, _LONGEST = 8, 100_000
_PICTURE = re.compile(r'(src|href)="((?!https?:|data:|#)[^"]+\.png)"')
_OPENING_HEIGHT = 560


class ExplainSettings(BaseModel):
    """The settings of `explain`, by stage, as those of the full flow."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factors: FactorConfig = setting(FactorConfig(), "how vectors become factors")
    labels: LabelConfig = setting(LabelConfig(), "which factors an item stands for")
    documents: DocumentConfig = setting(DocumentConfig(), "which items are read about, and what of their texts")
    readers: ReadersConfig | None = setting(None, "how positions are predicted; None: as `fit_to_size` says")
    names: NameConfig = setting(NameConfig(), "the words that name a factor")
    evaluation: EvaluationConfig = setting(EvaluationConfig(), "how precisely the scores are measured")
    histograms: HistogramConfig = setting(HistogramConfig(), "for which labels a text votes")
    report: ReportConfig = setting(ReportConfig(), "what the page shows")


def explain(
    item_factors: pd.DataFrame | Sequence[pd.DataFrame],
    texts: pd.DataFrame,
    items: pd.DataFrame | None = None,
    user_factors: pd.DataFrame | Sequence[pd.DataFrame] | None = None,
    item_noun: str = "item",
    *,
    text_noun: str = "text",
    english: bool = True,
    corpus: pd.Series | None = None,
    progress: bool | None = None,
    settings: Mapping[str, Any] | None = None,
) -> "Explanation":
    """Explain the factors of a recommender by texts about its items.

    Args:
        item_factors: the item vectors: index item_id, a column for each dimension. Of several fits of the same
            recommender, one table each: they show which factors are stable.
        texts: item_id and text; and, if there are such columns, kind, date (the newest of equal texts is kept) and
            licence (whether models may learn from the text).
        items: item_id, and any of title, year, genres, ratings (how many users an item has), mean_rating, and further
            columns of numbers, dates and categories.
        user_factors: the user vectors, a row for each user, of each fit: they say how much a direction matters.
        item_noun: what an item is called.
        text_noun: what a text is called.
        english: whether the texts are English.
        corpus: further texts, of other items, from which topics are learned instead of the texts themselves.
        progress: whether to show a bar; None: in a notebook and on a terminal.
        settings: of stages, by name, as in `ExplainSettings`.

    Returns:
        What was found, as tables and as a page.

    Raises:
        DataError: an argument is not what it should be; the message names it.
        NotEnoughData: too few items have texts.
        SettingsError: a setting is unknown or out of bounds.
    """
    chosen = _read_settings(settings or {}, item_noun, text_noun, english=english)
    vectors = align_fits(*_read_fits(item_factors, user_factors))
    table = None if items is None else index_table(_with_ids(items, "items"), "item_id", "items")
    described = describe_items(vectors.numbers, table)
    steps = _Steps(progress)
    steps.note("item_factors", figures={"fits": len(vectors.item_factors), "items": len(described)})
    steps.note("ratings", figures={"counted": are_counted(described)})

    n_users = described["ratings"]
    factors = steps.run(
        "factors",
        chosen.factors,
        lambda: extract_factors(vectors.fits(), n_users, chosen.factors, dimensions=vectors.dimensions),
        lambda found: {"axes": len(found.axes), "stable": int(found.axes["stable"].sum())},
    )
    scores, axes = factors.scores, factors.axes
    labels = steps.run("labels", chosen.labels, lambda: label_items(scores, axes, n_users, chosen.labels))
    joined, _ = steps.run(
        "reviews",
        StageConfig(),
        lambda: join_texts(_with_ids(texts, "texts"), vectors.numbers, _LONGEST),
        lambda found: asdict(found[1]),
    )
    documents = steps.run(
        "documents",
        chosen.documents,
        lambda: gather_documents(joined, described, chosen.documents),
        lambda found: {"items": len(found.items), "reviews": len(review_parts(found)), "repeated": found.repeated},
    )

    config = chosen.readers or fit_to_size(ReadersConfig(), len(documents.items), len(axes))
    means = mean_ratings(without_ratings(described).ratings, described)

    def predict(read: Documents, config: ReadersConfig) -> CrossFit:
        learned_from = (read.parts["text"], NONE_HELD_OUT) if corpus is None else (corpus, joined["review_id"])
        topics = find_topics(read, *learned_from, config.topics, mask=config.mask_names)
        return cross_fit(read, scores, build_readers(read, described, means, topics, [], config), config)

    positions = steps.run("positions", config, lambda: predict(documents, config))
    unpermuted = config.model_copy(update={"permutations": 0})
    judged = steps.run(
        "evaluation",
        chosen.evaluation,
        lambda: score_positions(
            positions,
            documents,
            scores,
            axes["stable"],
            None,
            chosen.evaluation,
            {
                kind: predict(leave_out_kind(documents, LeftOutConfig(kind=kind)), unpermuted).held_out[STACKED]
                for kind in separable_kinds(documents)
            },
        ),
        PositionScores.summary,
    )
    names = steps.run("names", chosen.names, lambda: find_names(documents, scores, axes, described, chosen.names))
    shares, most_frequent = steps.run(
        "histograms",
        chosen.histograms,
        lambda: count_votes(
            score_reviews(positions.reviews, list(labels.labels["axis"].unique()), [], chosen.histograms),
            joined.set_index("review_id")["item_id"],
            chosen.histograms,
        ),
    )
    steps.close()
    inputs = ReportInputs(
        items=described,
        scores=scores,
        axes=axes,
        item_labels=labels.items,
        labels=labels.labels,
        reviews=joined,
        axis_scores=judged.axes,
        reader_scores=judged.readers,
        kind_scores=judged.kinds,
        overall=judged.summary(),
        terms=names.terms,
        pole_items=names.items,
        genres=names.genres,
        name_tests=names.tests,
        names=names.names,
        shares=shares,
        most_frequent=most_frequent,
        manifests=steps.manifests,
    )
    return Explanation(inputs, chosen.report)


@dataclass(frozen=True)
class Explanation:
    """What texts say of the factors of a recommender: tables, and a page."""

    inputs: ReportInputs
    config: ReportConfig

    @cached_property
    def figures(self) -> dict[str, Any]:
        """The headline: how many items, texts, factors there are, how many hold, and how well texts predict them."""
        read = self.inputs.manifest("documents").metrics
        return headline(read, self.inputs.overall, self.inputs.axes, self.inputs.axis_scores, self.inputs.name_tests)

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


class _Steps:
    """Runs the steps one after the other, behind a bar, and notes what each was set to and came to."""

    def __init__(self, progress: bool | None) -> None:
        # A notebook is no terminal.
        shown = progress if progress is not None else ("ipykernel" in sys.modules or None)
        self._bar = tqdm(total=_N_STEPS, desc="explain", disable=None if shown is None else not shown)
        self.manifests: list[Manifest] = []

    def run(
        self,
        stage: str,
        config: StageConfig,
        make: Callable[[], Made],
        summarise: Callable[[Made], Mapping[str, Any]] = lambda _: {},
    ) -> Made:
        started = time.monotonic()
        self._bar.set_description(stage)
        made = make()
        self.note(stage, config, summarise(made), time.monotonic() - started)
        self._bar.update()
        return made

    def note(
        self,
        stage: str,
        config: StageConfig | None = None,
        figures: Mapping[str, Any] | None = None,
        seconds: float = 0,
    ) -> None:
        self.manifests.append(
            Manifest(
                stage=stage,
                key="",
                inputs={},
                config=config.model_dump(mode="json") if config else {},
                files={},
                metrics=dict(figures or {}),
                versions={name: version(name) for name in ("latentflix", "numpy", "pandas", "scikit-learn")},
                made_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                seconds=round(seconds, 3),
            )
        )

    def close(self) -> None:
        self._bar.close()


def _read_settings(given: Mapping[str, Any], item_noun: str, text_noun: str, *, english: bool) -> ExplainSettings:
    own: dict[str, dict[str, Any]] = {
        "documents": {"english": english},
        "report": {
            "item_noun": item_noun,
            "text_noun": text_noun,
            "category_noun": "category",
            "category_nouns": "categories",
            "origin": "",
            "passage_share": 1.0,
        },
    }
    merged = {**own, **{name: {**own.get(name, {}), **dict(values)} for name, values in given.items()}}
    try:
        return ExplainSettings.model_validate(merged)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SettingsError(
            "a setting is wrong",
            where=f"settings: {'.'.join(map(str, first['loc']))}",
            found=repr(first["input"])[:60],
            expected=first["msg"],
        ) from error


def _read_fits(
    item_factors: pd.DataFrame | Sequence[pd.DataFrame], user_factors: pd.DataFrame | Sequence[pd.DataFrame] | None
) -> tuple[list[Vectors], list[Vectors], list[str]]:
    """The vectors of the fits, those of their users, and what errors call them."""
    fits = [item_factors] if isinstance(item_factors, pd.DataFrame) else list(item_factors)
    users = [user_factors] if isinstance(user_factors, pd.DataFrame) else list(user_factors or [])
    if not fits:
        raise DataError("there are no item vectors", where="item_factors", expected="a table, or one for each fit")
    if users and len(users) != len(fits):
        raise DataError(
            "there are not as many tables of users as of items",
            where="user_factors",
            found=f"{len(users)}",
            expected=f"{len(fits)}",
        )
    where = ["item_factors"] if len(fits) == 1 else [f"item_factors[{number}]" for number in range(len(fits))]
    items = [frame_vectors(_with_ids(table, name), "item_id", name) for table, name in zip(fits, where, strict=True)]
    of_users = [frame_vectors(_with_ids(table, "user_factors"), "item_id", "user_factors") for table in users]
    return items, of_users, where


def _with_ids(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """The table with a column item_id, which may be its index."""
    if not isinstance(table, pd.DataFrame):
        raise DataError("an argument is not a table", where=where, found=type(table).__name__, expected="a DataFrame")
    return table if "item_id" in table else table.rename_axis("item_id").reset_index()


def _embed(folder: Path, found: re.Match[str]) -> str:
    data = base64.b64encode((folder / found[2]).read_bytes()).decode()
    return f'{found[1]}="data:image/png;base64,{data}"'
