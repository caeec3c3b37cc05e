"""What a stage accepts as its inputs: the right artifacts, by name."""

from typing import Annotated, Any

import pytest

from latentflix.artifacts import Artifact, Handle, Store
from latentflix.config import StageConfig
from tasks.stage import StageRunner, stage


@stage("cake", "cake")
def bake(
    artifact: Artifact,
    store: Store,
    *,
    dough: Handle,
    topping: Annotated[Handle, "cherries", "nuts"],
    layers: Annotated[tuple[Handle, ...], "cream"],
    config: StageConfig,
) -> None:
    """Bake a cake."""
    raise AssertionError("a stage whose inputs are refused does no work")


def made(stage_name: str, key: str = "0") -> Handle:
    return Handle(stage=stage_name, key=key)


CREAM = [made("cream", "0"), made("cream", "1")]
INPUTS: dict[str, Any] = {"dough": made("dough"), "topping": made("nuts"), "layers": CREAM}


def test_inputs_are_bound_in_the_order_of_the_parameters() -> None:
    assert list(bake.bind(dict(reversed(INPUTS.items()))).items()) == [
        ("dough", (made("dough"),)),
        ("topping", (made("nuts"),)),
        ("layers", tuple(CREAM)),
    ]


def test_several_artifacts_may_be_none() -> None:
    assert bake.bind({**INPUTS, "layers": []})["layers"] == ()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dough": made("nuts"), "topping": made("dough")}, "cake: dough takes an artifact of dough, not of nuts"),
        ({"topping": made("dough")}, "cake: topping takes an artifact of cherries or nuts, not of dough"),
        ({"layers": [made("cream"), made("dough")]}, "cake: layers takes an artifact of cream, not of dough"),
        ({"layers": made("cream")}, "cake: layers takes several artifacts, not one"),
        ({"dough": [made("dough")]}, "cake: dough takes one artifact, not several"),
        ({"dough": None}, r"cake takes \['dough', 'layers', 'topping'\], not \['layers', 'topping'\]"),
        ({"candles": made("candles")}, r"cake takes \['dough', 'layers', 'topping'\], not \['candles', 'dough', 'lay"),
    ],
    ids=["swapped", "of another stage", "one of several", "one for several", "several for one", "missing", "unknown"],
)
def test_wrong_inputs_are_refused_before_any_work(changed: dict[str, Any], message: str, tmp_path: Any) -> None:
    inputs = {name: value for name, value in {**INPUTS, **changed}.items() if value is not None}
    run = StageRunner(Store(tmp_path))
    with pytest.raises(TypeError, match=message):
        run(bake, config=StageConfig(), **inputs)
    assert list(tmp_path.iterdir()) == []
    assert run.seconds == {}
