"""Commands for data: split and prepare."""

from tests.data import trees
from tests.program import TINY_PHOTOS, fewmask


def test_lists_are_drawn_and_recognized(run, tmp_path):
    photos = run.parents[1] / "photos"
    text = fewmask("split", f"data={photos}", "--size", "1/2,1", "--how", "balanced", cwd=tmp_path)
    assert "1 of 4 images" in text and "validation images is on a list" in text
    lists = sorted(f.name for f in (tmp_path / "splits").glob("*.txt"))
    assert lists == ["balanced_1_2_seed0.txt", "balanced_1_seed0.txt"]
    text = fewmask("split", tmp_path / "splits" / lists[1])
    assert "1 images" in text and "does not match any published list" in text
    words = (f"data={photos}", f"data.labeled={tmp_path / 'splits' / lists[0]}", *TINY_PHOTOS)
    assert "Done." in fewmask("train", *words, cwd=tmp_path)


def test_prepare_says_what_differs_from_the_published_data(tmp_path):
    voc = trees.voc(tmp_path / "voc")
    text = fewmask("prepare", "voc", "--root", voc, code=1)
    assert "7 training images, but 10582 were published" in text


def test_a_file_called_data_yaml_is_a_file_and_no_option(run, tmp_path):
    photos = run.parents[1] / "photos"
    (tmp_path / "data.yaml").write_text(f"images: {photos}/images\nmasks: {photos}/masks\n")
    for word in ("data.yaml", "data=data.yaml"):
        assert "classes in labeled images" in fewmask("check", word, cwd=tmp_path, code=1)
