"""Downloads that are too slow are given up."""

import pytest

from fewmask.data import download as downloading
from fewmask.data import download_bar
from fewmask.errors import UserError
from tests.server import serving


def test_a_server_that_drips_counts_as_broken_off(tmp_path, monkeypatch):
    monkeypatch.setattr(download_bar, "SLOW_SECONDS", 0.1)
    monkeypatch.setattr(downloading, "ATTEMPTS", 1)
    with (
        serving({"/a.zip": bytes(10_000)}, pause_seconds=0.01) as address,
        pytest.raises(UserError, match="fewer than 60000 bytes arrived in 0.1 seconds"),
    ):
        downloading.download(f"{address}/a.zip", tmp_path / "a.zip")


def test_a_server_whose_headers_never_end_is_given_up_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "TIMEOUT_SECONDS", 0.2)
    with (
        serving({}, begins=False) as address,
        pytest.raises(UserError, match="a.zip: no answer within 0.2 seconds. Try again later."),
    ):
        downloading.download(f"{address}/a.zip", tmp_path / "a.zip")
