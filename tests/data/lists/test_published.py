"""Published lists: recognized, compared, copied."""

import csv
from pathlib import Path

import pytest

from fewmask.data.lists import published
from fewmask.data.lists.published import ImageList, PublishedList, recognize
from fewmask.data.lists.reading import image_id, read_lines
from fewmask.errors import UserError

SHARED = Path(__file__).parents[4] / "shared" / "splits"
IDS = [f"2007_0000{i}" for i in range(10, 15)]


@pytest.fixture
def tiny_list(monkeypatch):
    """Makes the world believe that IDS were published."""
    sha256 = recognize(IDS).sha256
    mine = PublishedList(
        "voc/tiny/5", "labeled", 5, sha256, "some/repo", "HEAD", "splits/5.txt", ""
    )
    known = (*published.published_lists(), mine)
    monkeypatch.setattr(published, "published_lists", lambda: known)
    return mine


def test_all_line_formats_are_recognized(tiny_list):
    formats = (
        "{}", "{}.jpg", "JPEGImages/{}.jpg", "JPEGImages/{0}.jpg SegmentationClass/{0}.png",
        "JPEGImages/{0}.jpg\tmasks/{0}.png",
    )  # fmt: skip
    for line in formats:
        assert recognize([line.format(name) for name in IDS]).published == (tiny_list,)
    ulm = "leftImg8bit/train/ulm/ulm_000079_000019_leftImg8bit.png"
    pair = f"{ulm} gtFine/train/ulm/ulm_000079_000019_gtFine_labelTrainIds.png"
    assert {image_id(x) for x in (ulm, pair)} == {"ulm_000079_000019"}
    assert image_id("train2017/000000177254") == "000000177254"
    assert image_id("COCO_train2014_000000177254") == "000000177254"
    assert image_id("holiday photo 1.jpg") == "holiday photo 1"


def test_the_order_of_a_list_does_not_matter(tiny_list):
    assert recognize(reversed(IDS)).published == (tiny_list,)
    assert recognize(IDS[:-1]).published == ()


def test_a_list_of_several_families_has_all_their_names():
    classic = published.find_published("voc/u2pl/92")
    shared = tuple(p for p in published.published_lists() if p.sha256 == classic.sha256)
    name = ImageList(92, classic.sha256, shared).name
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
    found = [recognize(read_lines(file)) for file in SHARED.rglob("*.txt")]
    assert len(found) > 40 and all(split.published for split in found)
    assert {split.sha256 for split in found} == expected


def test_blender_lists_of_two_families_are_not_comparable():
    u2pl, cps = (
        ImageList(p.count, p.sha256, (p,))
        for p in map(published.find_published, ("voc/u2pl/1_16", "voc/unimatch/1_8"))
    )
    (reason,) = published.incomparable({"a": u2pl, "b": cps})
    assert "a uses a U2PL-style" in reason and "b a CPS-style" in reason and "3 points" in reason
    assert published.incomparable({"a": u2pl, "b": u2pl}) == []
    classic = recognize(IDS)
    assert published.incomparable({"a": u2pl, "b": classic}) == []


def test_two_lists_of_one_size_are_not_comparable():
    rows = {"a": recognize(IDS), "b": recognize([*IDS[:4], "2008_000001"])}
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


def test_own_lists_differ_by_their_folders():
    assert recognize(["a/1", "b/2"]).sha256 != recognize(["c/1", "d/2"]).sha256
