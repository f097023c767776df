"""A folder without any mistake, and what `fewmask check` says about it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewmask.cli.words import recipe_from_words
from fewmask.errors import UserError
from fewmask.runs.build import open_data
from fewmask.tasks import check as checking

NAMED = "data.names=[a, b]"


def write_clean(root: Path) -> Path:
    """Twelve labeled and four unlabeled photos of two classes, and four for val: nothing wrong."""
    rng = np.random.default_rng(0)
    for place, count, masked in ((root, 16, 12), (root / "val", 4, 4)):
        for kind in ("images", "masks"):
            (place / kind).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 255, (30, 40, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(place / "images" / f"p{i:02d}.png")
            if i < masked:
                mask = np.zeros((30, 40), np.uint8)
                mask[5:20, 5:30] = 1
                Image.fromarray(mask).save(place / "masks" / f"p{i:02d}.png")
    return root


def check(root, *words):
    return checking.check(recipe_from_words([f"data={root}", "data.val=val", *words]))


def said(root, *words):
    return "\n".join(finding.in_words() for finding in check(root, *words).findings)


def masks_of(root):
    return sorted(root.rglob("masks/*.png"))


def rewrite(root, change):
    """Saves each mask again: `change(labels, i)` gives an array or a picture."""
    for i, file in enumerate(masks_of(root)):
        changed = change(np.array(Image.open(file)), i)
        picture = changed if isinstance(changed, Image.Image) else Image.fromarray(changed)
        picture.save(file)


def loaded(root, *words):
    said = []
    recipe = recipe_from_words(["method=imas", f"data={root}", "data.val=val", *words])
    return open_data(recipe, tell=said.append), said


def both_refuse(root, says, *words):
    """`check` reports an error, and training does not begin; the two say the same."""
    found = check(root, *words)
    assert found.exit_code == 2
    assert says in found.in_words()
    with pytest.raises(UserError) as error:
        loaded(root, *words)
    assert says in str(error.value)
