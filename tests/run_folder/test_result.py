"""The scores of a run, read from its folder."""

import shutil
from dataclasses import replace

import pytest

from fewmask.errors import UserError
from fewmask.report.results_table import table
from fewmask.run_folder.result import in_words, read_result


def test_results_show_student_and_teacher_last_and_best(two_runs):
    result = read_result(two_runs / "a")
    assert set(result.networks) == {"student", "teacher"} and result.steps == 4
    for score in result.networks.values():
        assert score.best >= score.miou and score.best_step in (2, 4)
        assert score.evaluations == 2
    assert "teacher" in table([result]) and "of 2 evaluations)" in table([result])
    assert "selected on these same images" in in_words(result)


def test_a_mean_over_some_of_the_classes_says_which(two_runs):
    result = read_result(two_runs / "a")
    name, score = next(iter(result.networks.items()))
    iou = (float("nan"), *[50.0] * (len(result.classes) - 1))
    partial = replace(result, networks={name: score._replace(iou=iou)})
    count = len(result.classes)
    assert f"over {count - 1} of {count} classes (not in val: sky)" in in_words(partial)
    whole = replace(result, networks={name: score._replace(iou=(50.0,) * count)})
    assert "over" not in in_words(whole)


def test_what_has_no_results_is_told_in_words(two_runs, tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(UserError, match="is not a run folder: it has no recipe.yaml"):
            read_result(place)
    with pytest.raises(UserError, match=r"holds some. Name one: .*/a, .*/b"):
        read_result(two_runs)
    for missing in ("results.csv", "splits/facts.json"):
        folder = shutil.copytree(two_runs / "a", tmp_path / missing.replace("/", "-"))
        (folder / missing).unlink()
        with pytest.raises(UserError, match="with results: the run has stopped before its first"):
            read_result(folder)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("splits/facts.json", "[" * 200_000),
        ("splits/facts.json", '{"unlabeled": {"count": 1e400}}'),
        ("recipe.yaml", "[" * 5000),
        ("recipe.yaml", "data: {name: [folder]}\nmethod: {name: imas}"),
        ("recipe.yaml", "data: [folder]"),
    ],
)
def test_damaged_files_of_a_run_are_one_message(file, content, two_runs, tmp_path):
    folder = shutil.copytree(two_runs / "a", tmp_path / "run")
    (folder / file).write_text(content)
    with pytest.raises(UserError, match="A file in it is damaged. Restore it, or train again"):
        read_result(folder)
