"""What every stage's settings have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class StageConfig(BaseModel):
    """The settings of one stage: frozen, and closed to names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def setting(
    default: Any,
    description: str,
    *,
    unit: str = "",
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> Any:
    """A field whose bounds and unit are part of its description.

    The description is what `--help` and the form in the Prefect UI show, and neither of them shows bounds.
    """
    bounds = [
        f"{sign} {bound:g}" for sign, bound in ((">=", ge), (">", gt), ("<=", le), ("<", lt)) if bound is not None
    ]
    notes = "; ".join(filter(None, [unit, " and ".join(bounds)]))
    text = f"{description} [{notes}]" if notes else description
    return Field(default, description=text, ge=ge, gt=gt, le=le, lt=lt)
