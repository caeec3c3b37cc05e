"""fastai's WikiText-103 language model, fetched and checked."""

from latentflix.text.pretrained import PretrainedConfig, load_wikitext
from tasks.stage import Artifact, Store, stage


@stage("pretrained", "pretrained-wikitext-103-{config.direction}", fetches=True)
def fetch_pretrained(artifact: Artifact, _: Store, *, config: PretrainedConfig) -> None:
    """Fetch the pretrained language model and keep its weights without a pickle."""
    model = load_wikitext(config)
    artifact.write_arrays("weights", model.weights)
    artifact.write_json("vocabulary", model.vocabulary)
