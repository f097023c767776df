"""What a pool may be."""

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.errors import UserError
from fewmask.runs.build import open_data
from tests.conftest import TINY_WORDS
from tests.data.pools import (
    opened_pool,
    picture,
    write_folder,
    write_shards,
)


def test_a_place_without_a_pool_is_refused(tmp_path):
    with pytest.raises(UserError, match="there is no such folder or list"):
        opened_pool(tmp_path / "nothing")
    with pytest.raises(UserError, match="behind a URL must be tar shards"):
        opened_pool("https://example.org/images")
    with pytest.raises(UserError, match="hold no images"):
        opened_pool(write_shards(tmp_path / "shards", [0]))


def test_images_and_shards_in_one_folder_are_refused(tmp_path):
    folder = write_shards(tmp_path / "pool", [3])
    picture(1).save(folder / "001.png")
    with pytest.raises(UserError, match="both images and shards"):
        opened_pool(folder)


def test_a_pool_takes_the_place_of_the_sources_own_images(tmp_path, capsys):
    folder = write_folder(tmp_path / "pool", 9)
    recipe = recipe_from_words(["synthetic", *TINY_WORDS, "method=imas", f"data.pool={folder}"])
    data = open_data(recipe)
    assert len(data.unlabeled) == 9
    assert "9 unlabeled images, in place of the 7" in capsys.readouterr().out


def test_the_disk_that_shards_may_take_is_an_option(tmp_path):
    shards = write_shards(tmp_path / "shards", [3])
    words = ["synthetic", *TINY_WORDS, f"data.pool={shards}", "data.pool_disk_gb=0.5"]
    assert open_data(recipe_from_words(words)).unlabeled.downloads.limit == 500_000_000
