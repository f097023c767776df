"""Lists are drawn from the training images, and recognized by their names."""

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.data.own_files import NOTES
from fewmask.errors import UserError
from fewmask.tasks import lists


def test_lists_are_drawn_from_the_training_images(tmp_path, capsys):
    recipe = recipe_from_words(["synthetic"])
    lists.draw_lists(recipe, ["2", "1/2"], "every", 3, tmp_path)
    small, large = (tmp_path / f"every_{name}_seed3.txt" for name in ("2", "1_2"))
    known = set(recipe.source().open().labeled.names)
    assert len(small.read_text().split()) == 2
    assert set(small.read_text().split()) <= set(large.read_text().split()) <= known
    assert "validation images is on a list" in capsys.readouterr().out


def test_a_labeled_list_in_the_recipe_is_refused(tmp_path):
    with pytest.raises(UserError, match="Leave out data.labeled"):
        lists.draw_lists(
            recipe_from_words(["synthetic", "data.labeled=4"]), ["2"], "every", 0, tmp_path
        )


def test_an_unknown_list_is_said_to_be_unknown(tmp_path, capsys):
    (tmp_path / "l.txt").write_text("a\nb\n")
    assert lists.recognize(tmp_path / "l.txt").count == 2
    assert "does not match any published list" in capsys.readouterr().out


def test_a_list_that_was_edited_is_kept(tmp_path):
    recipe, file = recipe_from_words(["synthetic"]), tmp_path / "every_2_seed0.txt"
    for _ in range(2):
        lists.draw_lists(recipe, ["2"], "every", 0, tmp_path)
    drawn = file.read_text()
    file.write_text(f"{drawn}# mine\n")
    with pytest.raises(UserError, match="every_2_seed0.txt was changed since fewmask wrote it"):
        lists.draw_lists(recipe, ["1", "2"], "every", 0, tmp_path)
    assert "# mine" in file.read_text() and not (tmp_path / "every_1_seed0.txt").exists()
    file.write_text(drawn)  # as from a repository: the same list, whoever wrote it
    (tmp_path / NOTES).unlink()
    lists.draw_lists(recipe, ["2"], "every", 0, tmp_path)
    assert file.read_text() == drawn


def test_a_published_list_is_not_copied_over_another_one(tmp_path):
    file = tmp_path / "list.txt"
    file.write_text("mine\n")
    with pytest.raises(UserError, match="list.txt was changed .* or is not from fewmask"):
        lists.copy("voc/u2pl/662", str(tmp_path), file)
    assert file.read_text() == "mine\n"
