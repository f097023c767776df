"""The settings in which runs differ."""

from fewmask.report.differences import differences


def test_only_what_differs_is_listed_by_dotted_name():
    one = {"seed": 0, "method": {"name": "imas", "loss": {"gamma": 2}}, "data": {"name": "a"}}
    other = {"seed": 1, "method": {"name": "supervised"}, "data": {"name": "a"}}
    assert differences([one, other]) == {
        "seed": [0, 1],
        "method.name": ["imas", "supervised"],
        "method.loss.gamma": [2, "-"],
    }
    assert differences([one]) == {}
