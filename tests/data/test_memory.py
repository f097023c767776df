"""What was read is kept while there is room."""

import numpy as np

from fewmask.data.memory import Memory


def test_arrays_are_kept_while_there_is_room():
    memory = Memory(room=100)
    small, large = np.arange(40, dtype=np.uint8), np.zeros(80, np.uint8)
    for key, array in (("a", small), ("b", large), ("c", small), ("d", small)):
        memory.keep(key, array)
    assert np.array_equal(memory.get("a"), small) and memory.get("b") is None
    assert memory.get("c") is not None and memory.get("d") is None
    small[:] = 7  # what is kept is a copy
    assert memory.get("a")[3] == 3


def test_what_is_kept_takes_room_once():
    memory = Memory(room=100)
    for _ in range(5):
        memory.keep("a", np.zeros(60, np.uint8))
    memory.keep("b", np.zeros(40, np.uint8))
    assert memory.get("b") is not None
