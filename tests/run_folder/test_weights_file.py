"""A .safetensors file brings back weights and settings, and others are refused."""

import pytest
import torch
from safetensors.torch import save_file

from fewmask.errors import UserError
from fewmask.run_folder.weights_file import load, save


def test_weights_and_settings_come_back(tmp_path):
    tied = torch.arange(6.0).reshape(2, 3)
    weights = {"a": tied, "b": tied, "c": tied.t(), "count": torch.tensor(3)}
    save({"weights": weights, "class_names": ["sky"], "crop": 65}, tmp_path / "x.safetensors")
    found = load(tmp_path / "x.safetensors", "weights", "class_names")
    assert found["class_names"] == ["sky"] and found["crop"] == 65
    assert found["weights"].keys() == weights.keys()
    assert all(torch.equal(found["weights"][name], x) for name, x in weights.items())


def test_missing_damaged_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="There is no file"):
        load(tmp_path / "missing.safetensors")
    (tmp_path / "damaged.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="Cannot read .*damaged.safetensors"):
        load(tmp_path / "damaged.safetensors")
    save_file({"a": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(UserError, match="not what fewmask export writes"):
        load(tmp_path / "foreign.safetensors")
    save({"weights": {"a": torch.zeros(2)}}, tmp_path / "short.safetensors")
    with pytest.raises(UserError, match="not what fewmask export writes"):
        load(tmp_path / "short.safetensors", "class_names")


def test_a_flipped_byte_is_noticed(tmp_path):
    file = tmp_path / "x.safetensors"
    save({"weights": {"a": torch.ones(9, dtype=torch.bfloat16), "b": torch.tensor(3)}}, file)
    assert load(file)["weights"]["b"] == 3
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="damaged: the checksum of its weights is wrong"):
        load(file)


def test_a_header_that_is_no_mapping_is_one_message(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "x.safetensors", {"fewmask": "[1]"})
    with pytest.raises(UserError, match="not what fewmask export writes"):
        load(tmp_path / "x.safetensors")
