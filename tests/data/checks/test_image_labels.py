"""Image-level labels that contradict masks are said by `check` and by training."""

import numpy as np

from tests.data.checks.photos import both_refuse, check, loaded

NAMES = "data.names=[a, b, c]"


def tagged(root, tags_of):
    """The option for a folder of tags: `tags_of(i)` of each image; masks show 0 and 1."""
    (root / "tags").mkdir()
    for i, file in enumerate(sorted((root / "images").iterdir())):
        np.save(root / "tags" / f"{file.stem}.npy", np.array(tags_of(i)))
    return f"data.image_labels={root / 'tags'}"


def about_tags(root, *words):
    return [one for one in check(root, *words).findings if "image_labels" in one.what]


def test_those_that_agree_are_loaded(clean):
    option = tagged(clean, lambda i: [0, 1] if i < 14 else [2])
    assert about_tags(clean, NAMES, option) == []
    data, said = loaded(clean, NAMES, option)
    assert data.image_labels.tolist() == 2 * [[True, True, False]] + 2 * [[False, False, True]]
    assert "image_labels" not in " ".join(said)


def test_a_background_without_tags_is_not_compared(clean):
    assert about_tags(clean, NAMES, tagged(clean, lambda i: [1])) == []


def test_numbers_that_count_from_one_are_refused(clean):
    option = tagged(clean, lambda i: [1, 2])
    both_refuse(clean, "contradicts the masks of 12 of 12 labeled images", NAMES, option)
    both_refuse(clean, "gives p00 b, c; the mask shows a, b", NAMES, option)
    both_refuse(clean, "numbers count from 1 and those of the masks from 0", NAMES, option)


def test_a_few_contradictions_are_a_warning(clean):
    option = tagged(clean, lambda i: [0] if i in (3, 7) else [0, 1])
    (found,) = about_tags(clean, NAMES, option)
    assert found.level == "warning" and found.what.startswith(
        "data.image_labels contradicts the masks of 2 of 12 labeled images. It gives p03 a; the "
    )
    assert [name[-7:] for name in found.files] == ["p03.png", "p07.png"]
    assert any("2 of 12 labeled images" in line for line in loaded(clean, NAMES, option)[1])
