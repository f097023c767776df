"""What training costs on a machine."""

from typing import NamedTuple


class Cost(NamedTuple):
    """Time and memory, as a rehearsal measures them."""

    step: float  # seconds
    evaluation: float  # seconds for all validation images, estimated from a few
    memory_gib: float  # at its peak
