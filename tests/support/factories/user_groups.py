"""Who leans to which pole, written down instead of found."""

import pandas as pd

from latentflix.factors.user_groups import UserGroups


def make_user_groups(n_holding: int = 3) -> UserGroups:
    """Leanings to pole 1+ of as many groups, and one that does not hold."""
    rows = [
        ("1+", "gender", "female", 1270, 0.44, 0.31, 0.57, 0.3, 0.001, True),
        *(("1+", "town", f"<b>{n}", 40 + n, 0.4, 0.2, 0.6, 0.2, 0.02, True) for n in range(n_holding - 1)),
        ("1-", "occupation", "writer", 20, 0.3, -0.1, 0.7, 0.1, 0.4, False),
    ]
    columns = ["label", "column", "group", "users", "lean", "lean_low", "lean_high", "r", "p", "holds"]
    return UserGroups(
        leanings=pd.DataFrame(rows if n_holding else rows[-1:], columns=columns),
        left_out=pd.DataFrame({"column": ["city"], "reason": ["1,023 different values"]}),
        users=4000,
        groups=23,
    )
