"""Strong views by name: ours, a user's own, and bands other than three."""

import sys

import numpy as np
import pytest
import torch

from fewmask.batch import IMAGENET, Views, normalize
from fewmask.data import (
    BatchStream,
    LoaderConfig,
)
from fewmask.data.loader import load_batches
from fewmask.data.sources.synthetic import Synthetic
from fewmask.data.views.imas import imas_strong_view
from fewmask.data.views.strong import STRONG_VIEWS, find_strong_view, strong_view, strong_views
from fewmask.errors import UserError


@pytest.fixture
def my_views(tmp_path, monkeypatch):
    """A user's own module."""
    (tmp_path / "my_views.py").write_text(
        "def sepia(image, rng):\n    return image // 2\n"
        "def half(image, rng):\n    return image[:5]\n"
        "number = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_views", raising=False)
    yield
    sys.modules.pop("my_views", None)


def test_a_users_own_view_is_found_by_import_path(my_views):
    image = np.full((20, 20, 3), 200, np.uint8)
    view = find_strong_view("my_views:sepia")
    assert (strong_view(view, image, np.random.default_rng(0)) == 100).all()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "sepia",
            "'sepia', which is unknown. Known: augseg, imas, pseudoseg, unimatch. .* "
            "package.module:function",
        ),
        ("my_views:sepa", "has no 'sepa'"),
        ("no_such_module:sepia", "no module 'no_such_module'"),
        ("my_views:number", "is a int. Name a function"),
    ],
)
def test_a_view_that_does_not_exist_fails_before_training(my_views, name, says):
    data = Synthetic(Synthetic.Config(name="synthetic", labeled=2, unlabeled=2, val=1)).open()
    with pytest.raises(UserError, match=says):
        BatchStream(data, LoaderConfig(), Views(strong=(name,)), seed=0)


def test_a_view_must_keep_the_shape(my_views):
    with pytest.raises(UserError, match=r"half returned uint8 \(5, 20, 3\)"):
        strong_view(find_strong_view("my_views:half"), np.zeros((20, 20, 3), np.uint8), None)


def test_a_view_that_works_in_place_leaves_the_weak_view_alone():
    def darken(image, rng):
        image[:] = 0
        return image

    weak = np.full((4, 4, 3), 200, np.uint8)
    strong = strong_view(darken, weak, np.random.default_rng(0))
    assert (strong == 0).all() and (weak == 200).all()


def test_a_users_own_view_is_loaded_by_workers(my_views):
    data = Synthetic(Synthetic.Config(name="synthetic", labeled=2, unlabeled=4, val=1)).open()
    stream = BatchStream(
        data,
        LoaderConfig(crop=16, labeled_batch=1, unlabeled_batch=2),
        Views(strong=("imas", "my_views:sepia")),
        seed=0,
    )
    for workers in (0, 1):
        (rounds,) = load_batches([stream], 0, 1, workers, pin=False)
        weak, (_, sepia) = rounds[0].unlabeled.weak, rounds[0].unlabeled.strong
        assert torch.equal(sepia, weak // 2)


@pytest.mark.parametrize("name", STRONG_VIEWS)
def test_strong_views_leave_their_input_alone_and_follow_the_seed(name):
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    before = image.copy()
    one, two, other = (find_strong_view(name)(image, np.random.default_rng(s)) for s in (1, 1, 2))
    assert one.shape == image.shape and one.dtype == np.uint8
    assert (one == two).all() and (one != other).any()
    assert (image == before).all()


def test_colors_keep_their_statistics_and_their_strong_view():
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 5), dtype=np.uint8)
    of_five = normalize(torch.tensor(image)[None], "cpu", IMAGENET.for_bands(5))
    of_three = normalize(torch.tensor(image[:, :, :3])[None], "cpu", IMAGENET)
    assert torch.equal(of_five[:, :3], of_three)
    strong = strong_view(imas_strong_view, image, np.random.default_rng(3))
    expected = imas_strong_view(image[:, :, :3].copy(), np.random.default_rng(3))
    assert (strong[:, :, :3] == expected).all() and (expected != image[:, :, :3]).any()
    assert (strong[:, :, 3:] == image[:, :, 3:]).all()
    gray = np.repeat(image[:, :, :1], 3, axis=2)
    alone = strong_view(imas_strong_view, image[:, :, :1], np.random.default_rng(3))
    assert (alone[:, :, 0] == imas_strong_view(gray, np.random.default_rng(3))[:, :, 0]).all()


def test_a_method_may_ask_for_another_amount():
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    (view,) = strong_views(Views(("imas",), amount=0))
    assert (strong_view(view, image, np.random.default_rng(0)) == image).all()
    assert strong_views(Views(("imas",))) == [imas_strong_view]
    assert strong_views(Views(("unimatch",), amount=0)) == [find_strong_view("unimatch")]
