"""Weights that changed since their download are noticed."""

import hashlib

import pytest

from fewmask.errors import UserError
from fewmask.models.encoders.weight_digests import verified

pytestmark = pytest.mark.usefixtures("newcomer")


def test_the_first_digest_is_kept(tmp_path):
    file = tmp_path / "weights-20240101.pth"  # a date is no digest
    file.write_bytes(b"as downloaded")
    assert verified(file, is_new=True) == file == verified(file, is_new=False)
    file.write_bytes(b"changed")
    with pytest.raises(
        UserError, match=r"have changed since they were downloaded.*Delete the file"
    ):
        verified(file, is_new=False)
    assert verified(file, is_new=True) == file == verified(file, is_new=False)


@pytest.mark.parametrize("name", ["{}", "resnet-{:.8}.pth"])
def test_a_digest_in_the_name_counts_from_the_start(name, tmp_path):
    content = b"weights"
    file = tmp_path / name.format(hashlib.sha256(content).hexdigest())
    file.write_bytes(content)
    assert verified(file, is_new=True) == file
    file.write_bytes(b"changed on the way")
    with pytest.raises(UserError, match="have changed"):
        verified(file, is_new=True)
