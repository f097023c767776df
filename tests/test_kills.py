"""Killed at random moments, every command completes when it is called again, with equal results.

`FEWMASK_KILLS=34` kills each command as often. Training has its own tests: engine/test_resume.py.
"""

import contextlib
import json
import multiprocessing
import os
import random
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch

from fewmask import api, cli
from fewmask.run_folder import checkpoint
from tests.photos import ten_photos
from tests.program import TINY_PHOTOS

KILLS = int(os.environ.get("FEWMASK_KILLS", "2"))
"""Of each command."""
AT_ONCE = 2
"""Kills before the command is left in peace."""
COMMANDS = {
    "predict": "predict run source/images --annotations coco --out {out}",
    "pseudo": "pseudo run --threshold 0.5 --out {out}",
    "compare": "compare data=source data.pool=more/source/images training.checkpoint_every=1 "
    f"{' '.join(TINY_PHOTOS)} --methods supervised,imas --seeds 1 --out {{out}}",
    "split": "split data=source --size 1/4,1/2 --out {out}",
    "rank": "rank run --out {out}",
    "check": "check source data.cache={out}/cache --picture {out}/sheet.png",
}
DIFFERENT = ("train.log", "env.json", "times.csv", "report.html", "speed-images-per-second.svg")
"""Names of files with times."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork server")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with photos, and a run on them."""
    home = tmp_path_factory.mktemp("kills")
    photos, _ = ten_photos(home), ten_photos(home / "more")
    api.train(f"data={photos}", "method=imas", *TINY_PHOTOS, out=home / "run")
    return home


def execute(command: str, home: Path, out: Path) -> None:
    """Runs a command in this process, with caches of its own."""
    os.environ["XDG_CACHE_HOME"] = str(out / "facts")
    os.chdir(home)
    out.mkdir(exist_ok=True)
    sys.argv = ["fewmask", *COMMANDS[command].format(out=out).split()]
    with (
        Path(f"{out}.txt").open("w") as said,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        cli.main()


def start(*words: object) -> BaseProcess:
    """A process that has imported everything before, so that a kill meets work."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=execute, args=words)
    process.start()
    return process


def complete(command: str, home: Path, out: Path) -> dict[str, object]:
    """Runs a command to its end, and returns its results."""
    process = start(command, home, out)
    process.join()
    said = Path(f"{out}.txt").read_text()
    # A check warns of too few photos, and the kill may have come after the last prediction.
    has_code_1 = command == "check" or "Nothing was left to predict" in said
    assert process.exitcode == int(has_code_1), said
    return results(out)


def results(out: Path) -> dict[str, object]:
    """The content of files by their names, without times and what is hidden."""
    found: dict[str, object] = {}
    for file in (file for file in out.rglob("*") if file.is_file()):
        name = file.relative_to(out).as_posix()
        if not (file.name in DIFFERENT or file.suffix == ".state" or file.name.startswith(".")):
            found[name] = file.read_bytes()
        if file.suffix == ".pt":  # equal values may be pickled in two ways
            found[name] = plain(checkpoint.load(file))
        if file.name == "metrics.jsonl":
            lines = map(json.loads, file.read_text().splitlines())
            found[name] = [{**line, "images_per_second": 0} for line in lines]
    return found


def plain(value: object) -> object:
    """The same value with bytes in place of tensors, which are compared all at once."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value.numpy().tobytes() if isinstance(value, torch.Tensor) else value


@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_call_completes_with_the_same_results(command, home, tmp_path):
    complete(command, home, tmp_path / "warm-up")
    begin = time.perf_counter()
    undisturbed = complete(command, home, tmp_path / "undisturbed")
    seconds = time.perf_counter() - begin
    moments, killed = random.Random(command), 0
    for number in range(-(-KILLS // AT_ONCE)):
        for _ in range(AT_ONCE):
            process = start(command, home, tmp_path / f"{number}")
            process.join(moments.uniform(0, seconds))
            killed += process.is_alive()
            process.kill()
            process.join()
        again = complete(command, home, tmp_path / f"{number}")
        names = {*undisturbed, *again}
        assert not [name for name in names if again.get(name) != undisturbed.get(name)]
    print(f"{command}: {killed} kills")  # in time; some came too late
