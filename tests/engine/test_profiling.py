"""A profile covers whole steps, evaluations apart, as a table and a trace."""

import json

import fewmask
from tests.conftest import TINY_WORDS


def test_a_profile_is_a_table_and_a_trace(tmp_path):
    words = ("training.steps=13", "training.evaluate_every=4", "method=supervised")
    run = fewmask.train("synthetic", *TINY_WORDS, *words, out=tmp_path / "run", profile=True).folder
    text = (run / "profile.txt").read_text()
    assert text.startswith("milliseconds per step, mean of 10 steps")
    assert "evaluation: " in text
    events = json.loads((run / "profile_trace.json").read_text())["traceEvents"]
    assert any(event.get("name") == "fewmask forward" for event in events)
