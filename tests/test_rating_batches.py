import pytest
import torch

from latentflix import rating_batches
from latentflix.rating_batches import RatingBatches


def numbered(n_ratings, batch_size, seeds=(0, 1), shuffle=True):
    """Rating n is of user n and film -n."""
    numbers = torch.arange(n_ratings, dtype=torch.int32)
    return RatingBatches(torch.stack([numbers, -numbers], dim=1), numbers.float(), batch_size, seeds, shuffle=shuffle)


def read_epoch(batches):
    """The ratings of an epoch in their order, a row a seed."""
    return torch.cat([ratings for _, ratings in batches], dim=1)


@pytest.mark.parametrize("shuffle", [True, False], ids=["shuffled", "in order"])
@pytest.mark.parametrize(("n_ratings", "n_batches"), [(1, 1), (10, 1), (11, 2), (35, 4)])
def test_every_seed_has_every_rating_once_an_epoch(n_ratings, n_batches, shuffle):
    batches = numbered(n_ratings, 10, seeds=(3, 1, 2), shuffle=shuffle)
    for _ in range(2):
        sizes = [tuple(ratings.shape) for _, ratings in batches]
        assert len(sizes) == len(batches) == n_batches
        assert sizes[:-1] == [(3, 10)] * (n_batches - 1)
        for seed in read_epoch(batches):
            assert sorted(seed.tolist()) == list(range(n_ratings))


@pytest.mark.parametrize("shuffle", [True, False], ids=["shuffled", "in order"])
def test_a_rating_stays_with_its_user_and_film(shuffle):
    for pairs, ratings in numbered(35, 10, shuffle=shuffle):
        assert torch.equal(pairs, torch.stack([ratings, -ratings], dim=2).int())
        assert (pairs.dtype, ratings.dtype) == (torch.int32, torch.float32)


def test_orders_differ_between_seeds_and_epochs():
    batches = numbered(50, 10)
    (one, other), (later, _) = read_epoch(batches), read_epoch(batches)
    for left, right in ((one, other), (one, later), (one, torch.arange(50.0))):
        assert not torch.equal(left, right)


def test_the_order_of_a_seed_is_its_own_whatever_is_beside_it():
    together, alone = numbered(50, 10, seeds=(4, 7, 9)), numbered(50, 10, seeds=(7,))
    torch.manual_seed(1)
    for _ in range(3):
        assert torch.equal(read_epoch(together)[1], read_epoch(alone)[0])


@pytest.mark.parametrize("at_once", [1, 10, 25, 40, 1000])
def test_the_order_does_not_hang_on_how_much_is_gathered_at_once(at_once, monkeypatch):
    expected = read_epoch(numbered(95, 10))
    monkeypatch.setattr(rating_batches, "_RATINGS_AT_ONCE", at_once)
    assert [ratings.shape[1] for _, ratings in numbered(95, 10)] == [10] * 9 + [5]
    assert torch.equal(read_epoch(numbered(95, 10)), expected)


def test_unshuffled_batches_are_views_of_the_ratings():
    batches = numbered(35, 10, seeds=range(100), shuffle=False)
    for pairs, ratings in batches:
        assert pairs.untyped_storage().data_ptr() == batches.pairs.untyped_storage().data_ptr()
        assert ratings.untyped_storage().data_ptr() == batches.ratings.untyped_storage().data_ptr()
    assert torch.equal(read_epoch(batches), torch.arange(35.0).expand(100, -1))


@pytest.mark.parametrize("shuffle", [True, False], ids=["shuffled", "in order"])
def test_no_ratings_make_no_batch(shuffle):
    batches = numbered(0, 10, shuffle=shuffle)
    assert len(batches) == len(list(batches)) == 0
