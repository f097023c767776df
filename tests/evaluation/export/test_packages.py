"""A missing package is named, with the command that installs it."""

import sys

import pytest

from fewmask.errors import UserError
from fewmask.evaluation.export.packages import require_onnx


def test_a_missing_package_is_named_with_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"'onnxruntime'.*pip install \"fewmask\[onnx\]\""):
        require_onnx("json", "onnxruntime")
    require_onnx("json")
