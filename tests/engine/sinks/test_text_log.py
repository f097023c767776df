"""train.log keeps the whole history of a run."""

from fewmask.engine.sinks import Sink
from fewmask.engine.sinks.text_log import TextLog
from fewmask.run_folder.paths import RunPaths


def test_lines_are_appended_also_after_a_resume(tmp_path):
    for first_step, line in ((0, "größer [x]"), (3, "resumed")):
        log = TextLog(Sink.Config(name="text"))
        log.open(RunPaths(tmp_path), first_step)
        log.text(line)
    assert (tmp_path / "train.log").read_text(encoding="utf-8") == "größer [x]\nresumed\n"
