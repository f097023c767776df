"""The images of a run are recorded, and must stay the same."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import fewmask
from fewmask.errors import UserError
from fewmask.run_folder.paths import RunPaths
from fewmask.run_folder.subsets import own_val, read_fingerprints
from fewmask.runs.run import Run


def test_the_list_is_written_into_run_folder_and_checkpoint(two_runs):
    facts = json.loads((two_runs / "a" / "splits" / "facts.json").read_text())
    assert facts["labeled"]["count"] == 2 and facts["val"]["count"] == 2
    card = torch.load(two_runs / "a" / "weights" / "best.pt", weights_only=True)
    assert card["labeled"] == facts["labeled"]


def test_a_resumed_run_keeps_its_images(two_runs):
    labeled = two_runs / "data" / "splits" / "labeled_2.txt"
    before = labeled.read_text()
    labeled.write_text("train_1\ntrain_3\n")
    with pytest.raises(UserError, match="labeled images of .* have changed since the run began"):
        fewmask.resume(two_runs / "a", "training.steps=6")
    labeled.write_text(before)


def test_a_resumed_run_notices_another_mask_of_the_same_name(two_runs):
    mask = two_runs / "data" / "train" / "masks" / "train_1.png"
    before = mask.read_bytes()
    pixels = np.array(Image.open(mask))
    pixels[0, 0] = 1 - min(pixels[0, 0], 1)
    Image.fromarray(pixels).save(mask)
    with pytest.raises(UserError, match="Masks of the labeled images of .* have changed"):
        fewmask.resume(two_runs / "b", "training.steps=6")
    mask.write_bytes(before)


NOTED = '"labeled": {"sha256": "a"}, "unlabeled": {"sha256": "b"}, "val": {"sha256": "c"}'


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"labeled": {}}', '{"labeled": 3, "unlabeled": 3, "val": 3}']
    + [f'{{{NOTED}, "masks_sha256": {masks}}}' for masks in ("[]", "7", '{"labeled": "d"}')],
)
def test_damaged_facts_are_named(content, tmp_path):
    paths = RunPaths(tmp_path)
    with pytest.raises(UserError, match="Cannot read .*facts.json"):
        read_fingerprints(paths)
    paths.facts.parent.mkdir()
    paths.facts.write_text(content)
    with pytest.raises(UserError, match="Restore the file, or start a new run"):
        read_fingerprints(paths)
    paths.facts.write_text(f"{{{NOTED}}}")
    assert read_fingerprints(paths) == ({"labeled": "a", "unlabeled": "b", "val": "c"}, {})


def test_the_validation_images_of_a_run_are_found_among_labeled_ones(two_runs):
    run = Run.open(two_runs / "a")
    assert own_val(run.paths, run.data) is run.data.val
    swapped = replace(run.data, labeled=run.data.val, val=run.data.labeled)
    found = own_val(run.paths, swapped)
    assert list(found.names) == list(run.data.val.names)
    assert np.array_equal(found.image(1), run.data.val.image(1))
    assert np.array_equal(found.mask(1), run.data.val.mask(1))
    with pytest.raises(UserError, match=r"2 validation image\(s\) .* are missing today"):
        own_val(run.paths, replace(swapped, labeled=swapped.val))


def test_a_damaged_list_of_a_run_is_named(two_runs, tmp_path):
    folder = shutil.copytree(two_runs / "a", tmp_path / "run")
    (folder / "splits/val.txt").write_bytes(b"\xff")
    run = Run.open(folder)
    with pytest.raises(UserError, match=r"splits/val.txt: it is not UTF-8 text. Restore it"):
        own_val(run.paths, run.data)
