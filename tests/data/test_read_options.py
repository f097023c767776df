"""Without options, images are read as they are."""

from fewmask.data.read_options import ReadOptions


def test_the_defaults_change_nothing():
    options = ReadOptions()
    assert options.channels == 3
    assert options.long_side is options.memory is options.decoded is None
