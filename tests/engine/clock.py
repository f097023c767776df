"""A clock that stands still until a test moves it."""

import pytest


class Clock:
    """Takes the place of `time.perf_counter`; `now` is in seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.now = 1000.0
        monkeypatch.setattr("time.perf_counter", lambda: self.now)
