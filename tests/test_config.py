"""Options: strict, typed, and errors a person can act on."""

from fewmask.config import merge


def test_another_method_starts_from_its_own_defaults():
    base = {"method": {"name": "imas", "threshold": 0.7}}
    assert merge(base, {"method": {"name": "supervised"}}) == {"method": {"name": "supervised"}}
    assert merge(base, {"method": {"name": "imas", "ema_decay": 0.9}})["method"]["threshold"] == 0.7
