from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch
from fastai.collab import EmbeddingDotBias, EmbeddingNN, get_emb_sz
from torch.nn.functional import mse_loss

from latentflix.recommender.networks import DotProduct, SeedEnsemble, build_model

MODELS = ("dot", "dot_range", "bias", "neural")
N_USERS, N_ITEMS, N_FACTORS, LAYERS, Y_RANGE = 20, 15, 4, (6, 5), (0.0, 5.5)


def build(name, seed):
    return build_model(name, N_USERS, N_ITEMS, N_FACTORS, LAYERS, Y_RANGE, seed)


def draw_pairs(*shape, seed=0):
    random = torch.Generator().manual_seed(seed)
    columns = [torch.randint(0, n_rows + 1, shape, generator=random) for n_rows in (N_USERS, N_ITEMS)]
    return torch.stack(columns, dim=-1).int()


def train_steps(model, pairs, stars, n_steps=30):
    """Train as a fit does, but in double precision: in a neural model rounding errors grow from step to step."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.02, weight_decay=0.1)
    for _ in range(n_steps):
        loss = mse_loss(model(pairs), stars, reduction="sum") / stars.shape[1]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.state()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("n_seeds", [1, 3])
def test_a_stack_gives_what_each_of_its_models_gives_alone(name, training, n_seeds):
    pairs = draw_pairs(n_seeds, 12)
    stack = SeedEnsemble([build(name, seed) for seed in range(n_seeds)]).train(training)
    expected = torch.stack([build(name, seed).train(training)(pairs[seed]).flatten() for seed in range(n_seeds)])
    assert stack(pairs).shape == (n_seeds, 12)
    torch.testing.assert_close(stack(pairs), expected)
    assert len(expected.round(decimals=4).unique(dim=0)) == n_seeds


@pytest.mark.parametrize("name", MODELS)
def test_models_side_by_side_learn_what_each_learns_alone(name):
    pairs = draw_pairs(3, 40)
    stars = (pairs.sum(-1) % 5 + 1).double()
    together = train_steps(SeedEnsemble([build(name, seed) for seed in range(3)]).double(), pairs, stars)
    for seed in range(3):
        alone = SeedEnsemble([build(name, seed)]).double()
        before = {weight: value.clone() for weight, value in alone.state().items()}
        after = train_steps(alone, pairs[[seed]], stars[[seed]])
        assert together.keys() == after.keys()
        for weight, value in after.items():
            torch.testing.assert_close(together[weight][seed], value[0], msg=weight)
            # fastai's neural model normalises its continuous inputs, of which a recommender has none.
            assert torch.equal(before[weight], value) is weight.startswith("bn_cont")


@pytest.mark.parametrize("name", MODELS)
def test_the_loss_of_one_model_does_not_change_the_others(name):
    stack = SeedEnsemble([build(name, seed) for seed in range(2)])
    (stack(draw_pairs(2, 12))[0] - 3).square().sum().backward()
    gradients = [weights.grad for weights in stack.weights if weights.numel()]
    assert all(gradient[0].any() for gradient in gradients)
    assert not any(gradient[1].any() for gradient in gradients)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n_seeds", [1, 3])
def test_a_state_is_restored_exactly(name, n_seeds):
    pairs = draw_pairs(n_seeds, 40)
    stars = (pairs.sum(-1) % 5 + 1).double()
    trained = SeedEnsemble([build(name, seed) for seed in range(n_seeds)]).double()
    state = train_steps(trained, pairs, stars, n_steps=3)
    other = SeedEnsemble([build(name, 10 + seed) for seed in range(n_seeds)]).double().eval()
    assert not torch.allclose(other(pairs), trained.eval()(pairs))
    other.load_state(state)
    assert torch.equal(other(pairs), trained(pairs))
    assert {len(value) for value in state.values()} == {n_seeds}


def test_the_models_are_fastais_own_with_embeddings_of_fastais_sizes():
    assert type(build("bias", 0)) is EmbeddingDotBias
    assert type(build("neural", 0)) is EmbeddingNN
    assert type(build("dot", 0)) is type(build("dot_range", 0)) is DotProduct
    table = SimpleNamespace(classes={"user": range(944), "item": range(1665)}, cat_names=["user", "item"])
    large = build_model("neural", 943, 1664, N_FACTORS, LAYERS, Y_RANGE, 0)
    assert [(each.num_embeddings, each.embedding_dim) for each in large.embeds] == get_emb_sz(table)
    assert [(table.num_embeddings, table.embedding_dim) for table in build("neural", 0).embeds] == [(21, 9), (16, 8)]


@pytest.mark.parametrize("name", ["dot_range", "bias", "neural"])
def test_predictions_with_large_weights_reach_the_ends_of_their_range(name):
    model = build(name, 0).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1e3)
        stars = model(draw_pairs(500))
    assert (stars.min().item(), stars.max().item()) == pytest.approx(Y_RANGE, abs=1e-3)


def test_a_plain_product_has_no_range():
    model, pairs = build("dot", 0), draw_pairs(50)
    users, items = model.u_weight.weight[pairs[:, 0]], model.i_weight.weight[pairs[:, 1]]
    torch.testing.assert_close(model(pairs), (users * items).sum(1))
    assert (model(pairs) < 0).any()


@pytest.mark.parametrize("name", MODELS)
def test_initial_weights_depend_on_the_seed_and_not_on_other_threads(name):
    def draw(seed):
        return build(name, seed).state_dict()

    expected = [draw(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(draw, range(8)))
    for one, other in zip(expected, found, strict=True):
        assert all(torch.equal(one[weight], other[weight]) for weight in one)
    first = next(iter(expected[0]))
    assert not torch.equal(expected[0][first], expected[1][first])
