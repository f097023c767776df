"""Every file of a run folder has one name, and lies in the folder."""

from pathlib import Path

import fewmask
from fewmask.data.source import SUBSETS
from fewmask.run_folder.paths import RunPaths
from tests.conftest import TINY_WORDS


def test_all_paths_differ_and_lie_in_the_folder():
    paths = RunPaths(Path("runs/a"))
    names = [n for n in dir(RunPaths) if isinstance(getattr(RunPaths, n), property)]
    found = [p for p in (getattr(paths, n) for n in names) if isinstance(p, Path)]
    found += [paths.split(subset) for subset in SUBSETS]
    assert len({*found}) == len(found) > 15
    assert all(paths.folder in path.parents for path in found)
    assert {*paths.tables} < {*paths.leftovers}


def test_a_run_writes_no_file_that_has_no_name(tmp_path):
    words = ("synthetic", "method=imas", *TINY_WORDS, "training.steps=1")
    run = fewmask.train(*words, out=tmp_path / "run")
    paths = run.paths
    known = {paths.recipe, paths.environment, paths.facts, paths.writer, *paths.leftovers}
    known |= {paths.split(subset) for subset in SUBSETS}
    written = {file for file in run.folder.rglob("*") if file.is_file()}
    assert {f for f in written if not known & {f, *f.parents}} == set()
    assert {paths.recipe, paths.last, paths.best, paths.results, paths.metrics} <= written
