"""What tags say, written down instead of found."""

import pandas as pd

from latentflix.factors.tags import TagFindings


def make_tag_findings(kind: str = "users", compared: int = 30) -> TagFindings:
    """Findings for poles 1+ and 1-, of which one word is confirmed; compared on factor 1 unless `compared` is small."""
    scores = {"reviews": 0.6, "tags": 0.5, "agreement": 0.7}
    row = {
        f"{name}{end}": value + by
        for name, value in scores.items()
        for end, by in (("", 0), ("_low", -0.1), ("_high", 0.1))
    }
    row |= {
        f"{name}{end}": value
        for name in ("tags", "agreement")
        for end, value in (("_null", 0.03), ("_p", 0.002), ("_q", 0.004))
    }
    tags = pd.DataFrame(
        [
            ("1+", "robots", "machines", 0.4, 0.003, 9),
            ("1+", "dystopia <i>", "", 0.35, 0.003, 7),
            ("1-", "romance", "", 0.3, 0.02, 8),
        ],
        columns=["label", "tag", "forms", "r", "p", "items"],
    )
    return TagFindings(
        tags=tags,
        axes=pd.DataFrame([row] if compared >= 20 else [], pd.Index(["1"] if compared >= 20 else [], name="axis")),
        confirmed=pd.DataFrame({"label": ["1+"], "term": ["war"], "tag": ["war"]}),
        left_out=pd.DataFrame({"reason": ["rows without a tag"], "rows": [1234]}),
        kind=kind,
        items=1500,
        tested=4000,
        compared=compared,
    )
