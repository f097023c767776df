"""Orders of a set: each number once, another order for another key, no memory for large sets."""

import numpy as np
import pytest

from fewmask.data import order
from fewmask.data.order import shuffled


@pytest.mark.parametrize("count", [1, 2, 3, 15, 16, 17, 1000, 4097])
def test_a_large_order_is_a_permutation(count, monkeypatch):
    monkeypatch.setattr(order, "LARGE", 0)
    numbers = [shuffled(place, count, (0, 1, 2)) for place in range(count)]
    assert sorted(numbers) == list(range(count))


def test_a_large_order_depends_on_its_key(monkeypatch):
    monkeypatch.setattr(order, "LARGE", 0)
    one, two = ([shuffled(place, 1000, (0, 1, epoch)) for place in range(1000)] for epoch in (0, 1))
    assert one != two
    same = sum(a == b for a, b in zip(one, two, strict=True))
    assert same < 10  # 1 is expected of two independent orders


def test_a_large_order_looks_random(monkeypatch):
    """Neighbors in the order are no neighbors in the set, and halves are mixed."""
    monkeypatch.setattr(order, "LARGE", 0)
    count = 40_000
    numbers = np.array([shuffled(place, count, (7,)) for place in range(count)])
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.02  # 4 standard deviations
    assert abs((numbers[: count // 2] < count // 2).mean() - 0.5) < 0.02
    assert np.abs(np.diff(numbers)).mean() == pytest.approx(count / 3, rel=0.03)


def test_ten_billion_need_no_memory():
    numbers = {shuffled(place, 10**10, (3,)) for place in range(1000)}
    assert len(numbers) == 1000 and max(numbers) < 10**10 and max(numbers) > 10**9


def test_a_small_order_is_the_plain_permutation():
    numbers = [shuffled(place, 10, (5, 1, 2**32)) for place in range(10)]
    assert numbers == np.random.default_rng((5, 1, 2**32)).permutation(10).tolist()
