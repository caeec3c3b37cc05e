import pytest
from pydantic import ValidationError

from latentflix.config import StageConfig, setting


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


def test_defaults_stand_without_being_said():
    assert Cake().model_dump() == {"layers": 2, "share": 0.5, "glazed": True}


@pytest.mark.parametrize(("name", "allowed"), [("layers", 1), ("layers", 9), ("share", 0.001), ("share", 0.999)])
def test_what_lies_within_the_bounds_is_taken(name, allowed):
    assert getattr(Cake(**{name: allowed}), name) == allowed


@pytest.mark.parametrize(("name", "refused"), [("layers", 0), ("layers", 10), ("share", 0), ("share", 1)])
def test_what_lies_outside_the_bounds_is_refused(name, refused):
    with pytest.raises(ValidationError) as caught:
        Cake(**{name: refused})
    assert [error["loc"] for error in caught.value.errors()] == [(name,)]


def test_an_unknown_name_is_refused():
    with pytest.raises(ValidationError, match="candles"):
        Cake(candles=3)


def test_a_config_cannot_be_changed():
    cake = Cake()
    with pytest.raises(ValidationError, match="frozen"):
        cake.layers = 3
    assert cake.layers == 2
