"""The recommenders on a page: a section of the report, and a page of its own for the flow that only studies them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from latentflix.artifacts import Manifest
from latentflix.maps import write_map
from latentflix.pages import PAGE, render_page, render_section
from latentflix.pictures import draw_curves, draw_map
from latentflix.study import Study
from latentflix.trials import Trials, chosen_sentence

_BIASES_SHOWN = 10
_PREDICTIONS_SHOWN = 15


def write_section(folder: Path, study: Study, trials: Trials) -> Markup:
    """The section "Recommenders", whose pictures and map are written into `folder`."""
    chosen = trials.trials[trials.trials["chosen"]]
    draw_curves(trials.curves, chosen, folder / "curves.png")
    draw_map(study.positions, folder / "map.png")
    write_map(study.positions, folder / "map.html")
    by_rating = study.predicted.groupby("rating")["predicted"]
    quantiles = by_rating.quantile([0.1, 0.5, 0.9]).unstack().set_axis(["low", "middle", "high"], axis=1)
    shown = study.predicted.head(_PREDICTIONS_SHOWN).sort_values(["rating", "predicted"], ascending=False)
    return render_section(
        "recommenders.html",
        figures=study.figures,
        trials=trials.trials.to_dict("records"),
        chosen=chosen.to_dict("records"),
        predicted=shown.to_dict("records"),
        n_predicted=len(study.predicted),
        by_rating=quantiles.assign(count=by_rating.size()).reset_index().to_dict("records"),
        ends=(
            ("Liked beyond what their factors explain", study.biases.head(_BIASES_SHOWN).to_dict("records")),
            ("Disliked beyond that", study.biases.tail(_BIASES_SHOWN)[::-1].to_dict("records")),
        ),
        n_mapped=len(study.positions),
        similar=[
            {"title": films["title"].iloc[0], "films": films.to_dict("records")}
            for _, films in study.similar.groupby("movie_id", sort=False)
        ],
    )


def build_study_page(folder: Path, study: Study, trials: Trials, manifests: Sequence[Manifest]) -> dict[str, Any]:
    """Write the page into `folder` and return its headline's figures: those of each model's chosen trial."""
    chosen = trials.trials[trials.trials["chosen"]]
    sentence = chosen_sentence(trials.trials)
    page = render_page("study.html", manifests, sentence=sentence, recommenders=write_section(folder, study, trials))
    (folder / PAGE).write_text(page, encoding="utf-8")
    return {"sentence": sentence, "models": chosen.drop(columns="chosen").set_index("model").to_dict("index")}
