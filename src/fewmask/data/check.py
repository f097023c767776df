"""Reads every file once before training, so that nothing can fail in the middle."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from fewmask.batch import Dataset
from fewmask.data.dataset import Data, Files, read_image
from fewmask.errors import UserError


def check_data(data: Data, needs_unlabeled: bool, tell: Callable[[str], None]) -> None:
    """Reads all images and masks and compares sizes, labels and sets.

    Args:
        data: what a source opened.
        needs_unlabeled: whether the method uses unlabeled images.
        tell: says what was decided on the user's behalf.

    Raises:
        UserError: for the first file or set that is wrong.
    """
    for note in data.notes:
        tell(note)
    for part, dataset in (("labeled", data.labeled), ("val", data.val)):
        if len(dataset) == 0:
            raise UserError(f"There are no {part} images. Set data.{part}.")
    if needs_unlabeled and len(data.unlabeled) == 0:
        raise UserError(
            "There are no unlabeled images: every image has a mask. Add images without masks, "
            "count fewer as labeled (data.labeled=N), or train with method=supervised."
        )
    if isinstance(data.labeled, Files) and isinstance(data.val, Files):
        _no_leak(data.labeled, data.val)
    with ThreadPoolExecutor() as pool:  # Pillow decodes without the interpreter lock
        for dataset in (data.labeled, data.val):
            list(pool.map(lambda i, d=dataset: _check_pair(d, i), range(len(dataset))))
        if needs_unlabeled:
            list(pool.map(lambda i: data.unlabeled.image(i).shape, range(len(data.unlabeled))))


def _no_leak(labeled: Files, val: Files) -> None:
    both = {f.resolve() for f in labeled.images} & {f.resolve() for f in val.images}
    if both:
        raise UserError(
            f"{len(both)} labeled image(s) are also in val (first: {sorted(both)[0].name}). Scores "
            "on images that were trained on say nothing; take them out of one of the lists."
        )


def _check_pair(dataset: Dataset, index: int) -> None:
    """An image and its mask have one size, and the mask's labels are classes."""
    mask = dataset.mask(index)
    if isinstance(dataset, Files):
        height, width = read_image(dataset.images[index]).shape[:2]
        if mask.shape != (height, width):
            raise UserError(
                f"Mask {dataset.masks[index]} is {mask.shape[1]}x{mask.shape[0]} pixels, its image "
                f"{dataset.images[index].name} is {width}x{height} (width x height). Export the "
                "mask at the image's size."
            )
    else:
        assert mask.shape == dataset.image(index).shape[:2]
