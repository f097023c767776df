"""The scores of a run, read from its folder."""

from fewmask.report.results_table import table
from fewmask.run_folder.result import in_words, read_result


def test_results_show_student_and_teacher_last_and_best(two_runs):
    result = read_result(two_runs / "a")
    assert set(result.networks) == {"student", "teacher"} and result.steps == 4
    for score in result.networks.values():
        assert score.best >= score.miou and score.best_step in (2, 4)
    assert "teacher" in table([result]) and "of 4)" in table([result])
    assert "selected on these same images" in in_words(result)
