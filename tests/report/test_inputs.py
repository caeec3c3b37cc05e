import pytest
from pydantic import ValidationError

from latentflix.report.inputs import ReportConfig
from tests.support.factories.report import make_inputs, make_manifest


def test_the_manifest_of_a_stage_is_its_last():
    manifests = [make_manifest("collab", {"first_seed": seed}) for seed in (0, 16)] + [make_manifest("factors")]
    inputs = make_inputs(manifests=manifests)
    assert inputs.manifest("collab").config == {"first_seed": 16}
    assert inputs.manifest("factors") == manifests[2]


WRONG = {"n_passages": 0, "passage_length": 10, "false_discoveries": 1, "min_reviews": 0, "item_noun": "", "excerpt": 1}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_settings_are_refused(name):
    with pytest.raises(ValidationError):
        ReportConfig(**{name: WRONG[name]})
