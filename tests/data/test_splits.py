"""Published lists: recognized, compared, copied. New lists: drawn, nested, balanced."""

import csv
from pathlib import Path

import numpy as np
import pytest

from fewmask.data.lists import published
from fewmask.data.lists.drawing import draw
from fewmask.data.lists.published import Published, Split
from fewmask.errors import UserError

SHARED = Path(__file__).parents[3] / "shared" / "splits"
IDS = [f"2007_0000{i}" for i in range(10, 15)]


@pytest.fixture
def tiny_list(monkeypatch):
    """Makes the world believe that IDS were published."""
    sha256 = published.identify(IDS).sha256
    mine = Published("voc/tiny/5", "labeled", 5, sha256, "some/repo", "HEAD", "splits/5.txt", "")
    known = (*published.published_lists(), mine)
    monkeypatch.setattr(published, "published_lists", lambda: known)
    return mine


def test_all_line_formats_are_recognized(tiny_list):
    formats = (
        "{}", "{}.jpg", "JPEGImages/{}.jpg", "JPEGImages/{0}.jpg SegmentationClass/{0}.png",
        "JPEGImages/{0}.jpg\tmasks/{0}.png",
    )  # fmt: skip
    for line in formats:
        assert published.identify([line.format(name) for name in IDS]).published == (tiny_list,)
    ulm = "leftImg8bit/train/ulm/ulm_000079_000019_leftImg8bit.png"
    pair = f"{ulm} gtFine/train/ulm/ulm_000079_000019_gtFine_labelTrainIds.png"
    assert {published.image_id(x) for x in (ulm, pair)} == {"ulm_000079_000019"}
    assert published.image_id("train2017/000000177254") == "000000177254"
    assert published.image_id("COCO_train2014_000000177254") == "000000177254"
    assert published.image_id("holiday photo 1.jpg") == "holiday photo 1"


def test_the_order_of_a_list_does_not_matter(tiny_list):
    assert published.identify(reversed(IDS)).published == (tiny_list,)
    assert published.identify(IDS[:-1]).published == ()


def test_a_list_of_several_families_has_all_their_names():
    classic = published.find_published("voc/u2pl/92")
    shared = tuple(p for p in published.published_lists() if p.sha256 == classic.sha256)
    name = Split(92, classic.sha256, shared).name
    assert name == "voc/unimatch/92 = voc/u2pl/92 = voc/pseudoseg/16_clean_3"


def test_facts_are_well_formed():
    names = [p.name for p in published.published_lists()]
    assert len(names) == len(set(names)) == 54
    assert all(len(p.sha256) == 64 and p.count > 0 for p in published.published_lists())
    assert published.find_published("voc/train_aug").count == 10582


@pytest.mark.skipif(not SHARED.is_dir(), reason="the authors' lists are not here")
def test_every_published_list_is_recognized():
    with (Path(published.__file__).parent / "published_splits.csv").open() as file:
        expected = {row["sha256"] for row in csv.DictReader(file)}
    found = [published.identify(published.read_lines(file)) for file in SHARED.rglob("*.txt")]
    assert len(found) > 40 and all(split.published for split in found)
    assert {split.sha256 for split in found} == expected


def test_blender_lists_of_two_families_are_not_comparable():
    u2pl, cps = (
        Split(p.count, p.sha256, (p,))
        for p in map(published.find_published, ("voc/u2pl/1_16", "voc/unimatch/1_8"))
    )
    (reason,) = published.incomparable({"a": u2pl, "b": cps})
    assert "a uses a U2PL-style" in reason and "b a CPS-style" in reason and "3 points" in reason
    assert published.incomparable({"a": u2pl, "b": u2pl}) == []
    classic = published.identify(IDS)
    assert published.incomparable({"a": u2pl, "b": classic}) == []


def test_two_lists_of_one_size_are_not_comparable():
    rows = {"a": published.identify(IDS), "b": published.identify([*IDS[:4], "2008_000001"])}
    (reason,) = published.incomparable(rows)
    assert "a and b both have 5 labeled images" in reason


def test_a_list_is_copied_from_a_clone_and_verified(tiny_list, tmp_path):
    clone = tmp_path / "clone"
    (clone / "splits").mkdir(parents=True)
    (clone / "splits" / "5.txt").write_text("\n".join(IDS))
    out = tmp_path / "mine" / "5.txt"
    published.copy_published("voc/tiny/5", str(clone), out)
    assert out.read_text().split() == IDS
    (clone / "splits" / "5.txt").write_text("\n".join(IDS[:4]))
    with pytest.raises(UserError, match="has 4 images .*expected 5"):
        published.copy_published("voc/tiny/5", str(clone), tmp_path / "other.txt")
    with pytest.raises(UserError, match="github.com/some/repo"):
        published.copy_published("voc/tiny/5", str(tmp_path / "nowhere"), tmp_path / "other.txt")
    with pytest.raises(UserError, match="Did you mean 'voc/tiny/5'"):
        published.copy_published("voc/tini/5", str(clone), tmp_path / "other.txt")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["clone", "mine"]


def test_lists_from_windows_are_read(tiny_list, tmp_path):
    file = tmp_path / "list.txt"
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(IDS).encode())
    assert published.identify(published.read_lines(file)).published == (tiny_list,)


def test_own_lists_differ_by_their_folders():
    assert published.identify(["a/1", "b/2"]).sha256 != published.identify(["c/1", "d/2"]).sha256


class Scenes:
    """40 images; class 0 is everywhere, class 1 in every fourth, class 2 in two of them."""

    names = [f"scene_{i:02d}" for i in range(40)]

    def __len__(self):
        return len(self.names)

    def mask(self, index):
        mask = np.zeros((4, 4), np.uint8)
        mask[0] = 1 if index % 4 == 0 else 0
        mask[1] = 2 if index in (17, 30) else 0
        mask[3] = 255
        return mask


@pytest.mark.parametrize("how", ["random", "balanced", "every"])
def test_smaller_lists_lie_inside_larger_ones(how):
    lists = draw(Scenes(), ["1/16", "1/8", "10"], how, seed=3)
    assert [len(names) for names in lists.values()] == [3, 5, 10]
    small, middle, large = map(set, lists.values())
    assert small < middle < large
    assert lists == draw(Scenes(), ["1/16", "1/8", "10"], how, seed=3)
    assert lists != draw(Scenes(), ["1/16", "1/8", "10"], how, seed=4)


def test_balanced_lists_hold_rare_classes():
    for seed in range(10):
        (names,) = draw(Scenes(), ["4"], "balanced", seed).values()
        numbers = {int(name[-2:]) for name in names}
        assert numbers & {17, 30} and any(n % 4 == 0 for n in numbers)


def test_every_takes_equal_distances():
    (names,) = draw(Scenes(), ["10"], "every", seed=0).values()
    gaps = np.diff(sorted(int(name[-2:]) for name in names))
    assert set(gaps) == {4}
    small, large = draw(Scenes(), ["3", "9"], "every", seed=2).values()
    assert set(small) < set(large)
    assert set(np.diff(sorted(int(name[-2:]) for name in large))) <= {4, 5}
    assert min(np.diff(sorted(int(name[-2:]) for name in small))) >= 12


@pytest.mark.parametrize("size", ["0", "41", "many", "1/0", "-1", "3/2", "1.5", ""])
def test_impossible_sizes(size):
    with pytest.raises(UserError, match="is no size|more than the 40"):
        draw(Scenes(), [size], "random", seed=0)
