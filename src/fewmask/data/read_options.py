"""The options of how images are read, from whichever source. `open_data` applies them."""

from dataclasses import dataclass

from fewmask.data.cache import DecodedFolder
from fewmask.data.images import Range
from fewmask.data.memory import Memory


@dataclass(frozen=True)
class ReadOptions:
    """How images are read."""

    channels: int = 3
    """Bands of an image, `model.in_channels`. With 3, every image is read as RGB."""
    long_side: int | None = None
    """Pixels, `data.long_side`. None keeps the image's own size."""
    memory: Memory | None = None
    """Keeps what was read, if there is one (`data.in_memory`)."""
    decoded: DecodedFolder | None = None
    """Keeps what was read on disk, if it is not None (`data.cache`)."""
    value_range: Range | None = None
    """The values that become 0 and 255, for images of more than 8 bits (`data.range`)."""
