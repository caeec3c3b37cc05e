"""Where several fits of one stage run. It changes how fast results come, never what they are.

On few cores the fits of a small set are fastest one after the other: a process takes longer to start than they take,
and threads wait for Python's lock. Threads pay with several GPUs, processes and Dask where a fit takes minutes.
"""

import os
from typing import Literal, Self

from pydantic import model_validator

from latentflix.config import StageConfig, setting


class ParallelConfig(StageConfig):
    """What runs the fits that need not wait for one another."""

    kind: Literal["sequence", "threads", "processes", "dask"] = setting(
        "sequence", "one after the other, in threads or processes of this machine, or on a Dask cluster"
    )
    workers: int | None = setting(None, "threads, processes or local Dask workers; not given: one a core", ge=1)
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
        """How many fits run at a time on this machine."""
        return self.workers or os.cpu_count() or 1
