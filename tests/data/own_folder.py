"""Opens a user's own folder, as training does."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewmask.data import (
    Data,
)
from fewmask.data.checks.before_training import check_data
from fewmask.data.sources.folder import Folder
from fewmask.errors import UserError


def opened_folder(root: Path, **options) -> Data:
    return Folder(Folder.Config(name="folder", root=root, **options)).open()


def checked(root: Path, **options) -> Data:
    data = opened_folder(root, **options)
    check_data(data, needs_unlabeled=True, tell=lambda note: None)
    return data


def save_mask(photos: Path, name: str, mask: np.ndarray, mode: str | None = None) -> None:
    picture = Image.fromarray(mask)
    (picture.convert(mode) if mode else picture).save(photos / "masks" / f"{name}.png")


def expect(photos: Path, *words: str, **options) -> None:
    with pytest.raises(UserError) as error:
        checked(photos, **options)
    for word in words:
        assert word in str(error.value), str(error.value)
