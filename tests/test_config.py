import os

import pytest
from pydantic import ValidationError

from latentflix.config import ParallelConfig, StageConfig, setting


class Cake(StageConfig):
    layers: int = setting(2, "layers of the cake", ge=1, le=9)
    share: float = setting(0.5, "share of sugar", unit="of the weight", gt=0, lt=1)
    glazed: bool = setting(True, "whether it is glazed")


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("layers", "layers of the cake [>= 1 and <= 9]"),
        ("share", "share of sugar [of the weight; > 0 and < 1]"),
        ("glazed", "whether it is glazed"),
    ],
)
def test_a_description_ends_with_unit_and_bounds(name, description):
    assert Cake.model_fields[name].description == description


def test_large_and_small_bounds_are_written_out():
    assert setting(1, "n", le=100_000).description == "n [<= 100000]"
    assert setting(1, "n", gt=0.001).description == "n [> 0.001]"


def test_a_config_has_its_defaults_and_no_unknown_names_and_cannot_be_changed():
    cake = Cake()
    with pytest.raises(ValidationError, match="frozen"):
        cake.layers = 3
    assert cake.model_dump() == {"layers": 2, "share": 0.5, "glazed": True}
    with pytest.raises(ValidationError, match="candles"):
        Cake(candles=3)


@pytest.mark.parametrize(
    ("name", "allowed", "refused"), [("layers", 1, 0), ("layers", 9, 10), ("share", 0.001, 0), ("share", 0.999, 1)]
)
def test_a_value_within_the_bounds_is_accepted_and_one_outside_refused(name, allowed, refused):
    assert getattr(Cake(**{name: allowed}), name) == allowed
    with pytest.raises(ValidationError, match=rf"^1 validation error for Cake\n{name}\n"):
        Cake(**{name: refused})


@pytest.mark.parametrize("kind", ["sequence", "threads", "processes"])
def test_an_address_without_dask_is_refused(kind):
    with pytest.raises(ValidationError, match=f"a Dask address is given, but the fits run in {kind}: set"):
        ParallelConfig(kind=kind, dask_address="tcp://here:8786")


def test_there_is_one_worker_per_core_by_default():
    assert ParallelConfig().n_workers() == os.cpu_count()
    assert ParallelConfig(workers=3).n_workers() == 3
