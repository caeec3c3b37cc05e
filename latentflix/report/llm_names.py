"""The section of the phrases that a language model gave: each only with its tested score."""

from collections.abc import Mapping

from markupsafe import Markup

from latentflix.factors.meanings.llm_names import LlmNames
from latentflix.report.formatting import Nouns
from latentflix.report.rendering import render_section

# Of the phrases that are said to stand better than chance, at most this share may do so by chance.
_FALSE_DISCOVERIES = 0.05


def llm_section(found: LlmNames, names: Mapping[str, str], nouns: Nouns) -> Markup:
    """Render the section "Names from a language model". names: the run's own, by label."""
    phrases = found.phrases
    scored = phrases[phrases["rho"].notna()].sort_values("rho", ascending=False, kind="stable")
    untested = phrases[phrases["rho"].isna()]
    return render_section(
        "llm_names.html",
        nouns,
        model=found.model,
        tested_on=found.items,
        shown=len(found.shown),
        scored=scored.assign(name=scored["label"].map(dict(names)).fillna(""), holds=scored["q"] <= _FALSE_DISCOVERIES),
        notes=untested.groupby("note", sort=False)["label"].agg(", ".join).to_dict(),
        has_words=bool(scored["words_rho"].notna().any()),
    )
