"""Lists are drawn from the training images, and recognized by their names."""

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.errors import UserError
from fewmask.tasks import lists


def test_lists_are_drawn_from_the_training_images(tmp_path, capsys):
    recipe = recipe_from_words(["synthetic"])
    lists.draw_lists(recipe, ["2", "1/2"], "every", 3, tmp_path)
    small, large = (tmp_path / f"every_{name}_seed3.txt" for name in ("2", "1_2"))
    known = set(recipe.source().open().labeled.names)
    assert len(small.read_text().split()) == 2
    assert set(small.read_text().split()) <= set(large.read_text().split()) <= known
    assert "validation images were not drawn from" in capsys.readouterr().out


def test_a_labeled_list_in_the_recipe_is_refused(tmp_path):
    with pytest.raises(UserError, match="Leave out data.labeled"):
        lists.draw_lists(
            recipe_from_words(["synthetic", "data.labeled=4"]), ["2"], "every", 0, tmp_path
        )


def test_an_unknown_list_is_said_to_be_unknown(tmp_path, capsys):
    (tmp_path / "l.txt").write_text("a\nb\n")
    assert lists.recognize(tmp_path / "l.txt").count == 2
    assert "does not match any published list" in capsys.readouterr().out
