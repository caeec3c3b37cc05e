import pandas as pd

from latentflix.encoder_page import encoder_section
from tests.small_encoders import compare, make_case


def test_every_encoder_and_label_has_its_row_and_rare_labels_are_named():
    comparison = compare(make_case())
    rare = pd.DataFrame({"films": [2]}, index=pd.Index(["3<"], name="label"))
    html = encoder_section(comparison, rare)
    for row in comparison.encoders.to_dict("records"):
        assert f"<td>{row['auc']:.3f} [{row['auc_low']:.3f}, {row['auc_high']:.3f}]</td>" in html
    for row in comparison.labels.to_dict("records"):
        assert f"{row['label']}</th><td>{row['films']}</td><td>{row['threshold']:.2f}</td>" in html
    assert "carry them: 3&lt; (2)." in html
    assert "the same guess for every film" in html


def test_without_rare_labels_none_are_spoken_of():
    rare = pd.DataFrame({"films": []}, index=pd.Index([], name="label"))
    assert "Left out" not in encoder_section(compare(make_case()), rare)
