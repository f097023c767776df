"""Runs that cannot be compared are named, with the reason."""

import pytest

from fewmask.errors import UserError
from fewmask.run_folder.comparing import warnings
from fewmask.run_folder.result import read_result


def test_results_warn_of_lists_that_differ(two_runs):
    results = [read_result(two_runs / name) for name in "ab"]
    (warning,) = warnings(results)
    assert "both have 2 labeled images, but not the same ones" in warning
    assert warnings(results[:1]) == []
    with pytest.raises(UserError, match="is not a run folder"):
        read_result(two_runs)


def test_unfinished_runs_are_called_so(two_runs):
    folder = two_runs / "a"
    whole = (folder / "results.csv").read_text()
    (folder / "results.csv").write_text("\n".join(whole.splitlines()[:3]) + "\n")
    assert "unfinished: 2 of 4 steps" in warnings([read_result(folder)])[0]
    (folder / "results.csv").write_text("step,network,miou,pixel_accuracy\n")
    with pytest.raises(UserError, match="not the folder of a run"):
        read_result(folder)
    (folder / "results.csv").write_text(whole)
