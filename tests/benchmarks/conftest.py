"""The benchmarks are part of a checkout, not of the package."""

import pytest

pytest.importorskip("benchmarks", reason="only in a checkout")


@pytest.fixture
def quick_limits(monkeypatch):
    """Rates are measured for an instant only."""
    from benchmarks import limits

    monkeypatch.setattr(limits, "SECONDS", 0.01)
