"""The time to load a sample, compared with a typical research pipeline."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.comparing import compare
from benchmarks.photos import IMAGES, NUM_CLASSES, write_photos
from benchmarks.record import Figure, Value, figures
from benchmarks.reference.loader import ReferenceLoader
from fewmask.batch import Views
from fewmask.data import BatchStream, Classes, Data, LoaderConfig
from fewmask.data.cache import DecodedFolder
from fewmask.data.files import Files

Sample = Callable[[int], object]


def measure(
    crop: Annotated[int, typer.Option(help="Side of the views, in pixels.")] = 321,
    rounds: Annotated[int, typer.Option(help="Passes over the images, for each side.")] = 9,
) -> Iterator[list[Figure]]:
    """Load unlabeled samples (weak and strong view) and labeled ones on one core, from JPEGs."""
    with tempfile.TemporaryDirectory(prefix="loader-") as folder:
        files = write_photos(Path(folder))
        decoded = replace(files, decoded=DecodedFolder(Path(folder) / "decoded"))
        reference = ReferenceLoader(files, crop)
        for source, suffix in ((files, ""), (decoded, ", data.cache")):
            yield from _samples(_stream(source, crop), reference, suffix, rounds)


def _samples(
    stream: BatchStream, reference: ReferenceLoader, suffix: str, rounds: int
) -> Iterator[list[Figure]]:
    # A batch holds both kinds of samples; its private functions give one kind alone.
    unlabeled = _times(lambda i: stream._unlabeled(i, 0), reference.unlabeled, rounds)
    yield figures(f"unlabeled sample, weak and strong view{suffix}", **unlabeled)
    labeled = _times(lambda i: stream._labeled(i, 0), reference.labeled, rounds)
    yield figures(f"labeled sample{suffix}", **labeled)


def _stream(files: Files, crop: int) -> BatchStream:
    data = Data(Classes([str(i) for i in range(NUM_CLASSES)]), files, files, files)
    config = LoaderConfig(crop=crop, labeled_batch=1, unlabeled_batch=1)
    return BatchStream(data, config, Views(strong=("imas",)), seed=0)


def _times(ours: Sample, reference: Sample, rounds: int) -> dict[str, Value]:
    """Milliseconds per sample of both sides, and their ratio."""

    def per_image(sample: Sample) -> Callable[[], None]:
        def call() -> None:
            for i in range(IMAGES):
                sample(i)

        return call

    both = compare(per_image(ours), per_image(reference), rounds)
    return both._replace(ours=both.ours / IMAGES, reference=both.reference / IMAGES).values()
