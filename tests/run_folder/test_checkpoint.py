"""Checkpoints are whole, refused when damaged, and never run code."""

import os
import zipfile

import pytest
import torch

from fewmask.errors import UserError
from fewmask.run_folder import checkpoint


def test_a_checkpoint_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "last.pt"
    checkpoint.save({"step": 1}, file)

    def die(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save({"step": 2}, file)
    assert checkpoint.load(file)["step"] == 1


def test_damaged_and_foreign_checkpoints_are_refused(tmp_path):
    file = tmp_path / "last.pt"
    with pytest.raises(UserError, match="no checkpoint"):
        checkpoint.load(file)
    checkpoint.save({"weights": torch.zeros(1000)}, file)
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(UserError, match="Cannot read"):
        checkpoint.load(file)
    torch.save({"model": 1}, file)
    with pytest.raises(UserError, match="not a fewmask checkpoint"):
        checkpoint.load(file)


class Evil:
    def __reduce__(self):
        return (os.mkdir, ("evil",))


def test_a_checkpoint_cannot_run_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"format": checkpoint.FORMAT, "x": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(UserError):
        checkpoint.load(tmp_path / "evil.pt")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ({"weight": torch.zeros(3, 4), "bias": torch.zeros(3)}, r"\[3, 4\] there, and \[2, 4\] h"),
        ({"weight": torch.zeros(2, 4)}, "bias is missing"),
        ({"weight": 7, "bias": None}, "weight has the shape"),
        ({**torch.nn.Linear(4, 2).state_dict(), "more": 1}, "more does not exist here"),
        ([1, 2], "they are a list"),
    ],
)
def test_the_first_weight_that_does_not_fit_is_named(weights, says, tmp_path):
    network = torch.nn.Linear(4, 2)
    with pytest.raises(UserError, match=f"do not fit this network: .*{says}"):
        checkpoint.fill(network, weights, tmp_path / "best.pt")


def test_a_flipped_bit_is_noticed(tmp_path):
    file = tmp_path / "best.pt"
    checkpoint.save({"weights": torch.ones(1000)}, file)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="the checksum of .* is wrong"):
        checkpoint.load(file)


@pytest.mark.parametrize(("value", "says"), [("nan", r"not a number \(NaN\)"), ("inf", "infinite")])
def test_weights_that_are_not_numbers_are_refused(value, says, tmp_path):
    network = torch.nn.Linear(2, 1)
    weights = {**network.state_dict(), "bias": torch.tensor([float(value)])}
    with pytest.raises(UserError, match=f"best.pt is damaged: bias is {says}"):
        checkpoint.fill(network, weights, tmp_path / "best.pt")
    assert network.bias.isfinite().all()


def nested(times: int) -> list:
    parts: list = ["x"]
    for _ in range(times):
        parts = [parts, parts]
    return parts


@pytest.mark.parametrize(
    "content",
    [
        {"model": nested(40)},  # 40 lists, and a trillion parts for whoever looks at each
        {"deep": [[[nested(60)]]]},
        {"weights": {"a": torch.zeros(1).expand(10**6, 10**6)}},
        {"weights": {"a": torch.empty(3, device="meta")}},
    ],
)
def test_what_no_network_holds_is_refused_before_anybody_looks_at_it(content, tmp_path):
    torch.save({"format": checkpoint.FORMAT, **content}, tmp_path / "x.pt")
    with pytest.raises(UserError, match="Cannot read the checkpoint .*x.pt: it h"):
        checkpoint.load(tmp_path / "x.pt")


def test_a_small_file_does_not_fill_the_memory(tmp_path):
    torch.save({"format": checkpoint.FORMAT, "a": torch.zeros(10**6)}, tmp_path / "x.pt")
    with (
        zipfile.ZipFile(tmp_path / "x.pt") as whole,
        zipfile.ZipFile(tmp_path / "small.pt", "w", zipfile.ZIP_DEFLATED) as small,
    ):
        for part in whole.namelist():
            small.writestr(part, whole.read(part))
    with pytest.raises(UserError, match="its parts are larger than the file"):
        checkpoint.load(tmp_path / "small.pt")


def test_a_tensor_in_place_of_the_format_is_refused(tmp_path):
    torch.save({"format": torch.ones(3)}, tmp_path / "a.pt")
    with pytest.raises(UserError, match="not a fewmask checkpoint"):
        checkpoint.load(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("key", "value"), [("step", None), ("step", 2.0), ("best", [1]), ("minimizer", "x")]
)
def test_parts_of_another_kind_are_named(key, value, tmp_path):
    checkpoint.save({"step": 1, "best": {}, "minimizer": {}, key: value}, tmp_path / "last.pt")
    with pytest.raises(UserError, match=f"is damaged: its '{key}' is a {type(value).__name__}"):
        checkpoint.load(tmp_path / "last.pt")


def test_complex_weights_are_refused(tmp_path):
    with pytest.raises(UserError, match="weight is complex"):
        checkpoint.fill(
            torch.nn.Linear(1, 1), {"weight": torch.ones(1, 1, dtype=torch.cfloat)}, tmp_path
        )
