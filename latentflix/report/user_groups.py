"""Who leans to which pole: the part of the evaluation about groups of users."""

from collections.abc import Mapping

from markupsafe import Markup

from latentflix.factors.user_groups import UserGroups
from latentflix.report.formatting import Nouns
from latentflix.report.rendering import render_section

# A longer table is folded.
_ROWS_SHOWN = 20


def users_part(found: UserGroups, names: Mapping[str, str], nouns: Nouns) -> Markup:
    """Render the part "Users" of the section "Evaluation". names: of the poles, by label."""
    leanings = found.found
    return render_section(
        "user_groups.html",
        nouns,
        users=found.users,
        groups=found.groups,
        columns=list(found.leanings["column"].unique()),
        leanings=leanings.assign(name=leanings["label"].map(dict(names)).fillna("")),
        left_out=found.left_out,
        is_long=len(leanings) > _ROWS_SHOWN,
    )
