"""What tags say, beside what reviews say: the part of the evaluation about them."""

from markupsafe import Markup

from latentflix.factors.tags import TagFindings
from latentflix.report.formatting import Nouns
from latentflix.report.rendering import render_section


def tags_part(found: TagFindings, words: int, nouns: Nouns) -> Markup:
    """Render the part "Tags" of the section "Evaluation". words: how many mark any pole."""
    return render_section(
        "tags.html",
        nouns,
        found=found,
        axes=found.axes,
        words=words,
        poles_with_tags=found.tags["label"].nunique(),
    )
