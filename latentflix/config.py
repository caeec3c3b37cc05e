"""What the settings of all stages share, and where fits run."""

import os
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


class StageConfig(BaseModel):
    """The settings of one stage: frozen, and closed to names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def setting(default: Any, description: str, *, unit: str = "", **options: Any) -> Any:
    """Make a field whose description ends with its unit and bounds, which `--help` and the UI's form do not show.

    options: of pydantic's `Field`, the bounds ge, gt, le and lt among them.
    """
    bounds = " and ".join(f"{sign} {options[name]:g}" for name, sign in _BOUNDS.items() if name in options)
    notes = "; ".join(filter(None, [unit, bounds]))
    return Field(default, description=f"{description} [{notes}]" if notes else description, **options)


class ParallelConfig(StageConfig):
    """Where fits run that need not wait for one another."""

    kind: Literal["sequence", "threads", "processes", "dask"] = setting(
        "sequence", "one after the other, in threads or processes of this machine, or on a Dask cluster"
    )
    workers: int | None = setting(None, "threads, processes or local Dask workers; not given: one per core", ge=1)
    dask_address: str | None = setting(
        None,
        "scheduler of a running Dask cluster whose workers see artifacts_dir, as tcp://host:8786; "
        "not given: a cluster on this machine, for the run",
    )
    dask_timeout: float = setting(10, "how long the scheduler may take to answer", unit="seconds", gt=0)

    @model_validator(mode="after")
    def _check_address(self) -> Self:
        if self.dask_address and self.kind != "dask":
            raise ValueError(f"a Dask address is given, but the fits run in {self.kind}: set --parallel.kind dask")
        return self

    def n_workers(self) -> int:
        """Count the fits that run at a time on this machine."""
        return self.workers or os.cpu_count() or 1
