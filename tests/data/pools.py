"""Small pools of unlabeled images: folders and tar shards."""

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from fewmask.data.pool.opening import open_pool


def picture(number: int) -> Image.Image:
    """A PNG whose first pixel is its number."""
    pixels = np.random.default_rng(number).integers(0, 255, (40, 52, 3)).astype(np.uint8)
    pixels[0, 0] = number % 256
    return Image.fromarray(pixels)


def write_folder(folder: Path, count: int) -> Path:
    for i in range(count):
        file = folder / f"part{i % 3}" / f"{i:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(i).save(file)
    (folder / "readme.txt").write_text("not an image")
    return folder


def write_shards(folder: Path, sizes: list[int]) -> Path:
    """Shards whose images are numbered through, with a JSON beside each, as WebDataset has it."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    for shard, size in enumerate(sizes):
        with tarfile.open(folder / f"{shard:03}.tar", "w") as tar:
            for _ in range(size):
                content = io.BytesIO()
                picture(number).save(content, "PNG")
                for suffix, data in (("png", content.getvalue()), ("json", b"{}")):
                    member = tarfile.TarInfo(f"{number:04}.{suffix}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
                number += 1
    return folder


def opened_pool(place: Path | str, told: list[str] | None = None, disk_gb: float = 1.0):
    tell = (told if told is not None else []).append
    return open_pool(str(place), disk_gb, tell)


def number_of(pool, index: int) -> int:
    return int(pool.image(index)[0, 0, 0])


def header_at(file: Path, image: int) -> int:
    with tarfile.open(file) as tar:
        return tar.getmembers()[2 * image].offset


def flip_header(file: Path, image: int) -> None:
    content = bytearray(file.read_bytes())
    content[header_at(file, image) + 5] ^= 255
    file.write_bytes(content)


def tar_head(kind: bytes, size: bytes) -> bytes:
    """The head of a member of a tar file that is as large as it says."""
    fields = [b"a.png".ljust(124, b"\0"), size, b"0".rjust(12, b"0"), b" " * 8, kind]
    block = bytearray(b"".join(fields).ljust(512, b"\0"))
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


BACKWARDS = 2 * tar_head(b"0", b"0" * 11 + b"\0") + tar_head(b"0", b"\xff" * 10 + b"\xfc\0")
"""Three members, of which the last one ends where the second one begins."""
