"""The share of each class in every photo."""

import csv

import numpy as np
from PIL import Image

from fewmask.data import Classes
from fewmask.report.areas import Areas
from fewmask.tasks.predict import predict
from tests.tasks.test_predict import folder, predictor  # noqa: F401


def rows(file):
    with file.open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def test_shares_add_up_and_the_last_row_of_a_photo_counts(tmp_path):
    areas = Areas(tmp_path / "areas.csv", Classes(["soil", "weed, tall"]))
    areas.tidy()
    assert not areas.file.exists()
    labels = np.zeros((10, 10), np.uint8)
    areas.add("b", labels)
    labels[:4], labels[9] = 1, 255
    areas.add("b", labels)
    areas.add("a", labels * 0 + 1)
    areas.tidy()
    areas.add("a", labels * 0)
    areas.tidy()
    assert rows(areas.file) == [
        {"photo": "a", "soil": "100.000", "weed, tall": "0.000", "no label": "0.000"},
        {"photo": "b", "soil": "50.000", "weed, tall": "40.000", "no label": "10.000"},
    ]


def test_predictions_come_with_their_areas(folder, predictor, tmp_path):  # noqa: F811
    predict(predictor, [folder], tmp_path / "out", tell=lambda line: None)
    found = rows(tmp_path / "out" / "areas.csv")
    assert [row["photo"] for row in found] == ["a/x", "a/y", "b/x"]
    assert all(row["g"] == "100.000" for row in found)  # green photos, and ByColor says g
    Image.new("RGB", (6, 4), (200, 0, 0)).save(folder / "a" / "x.png")
    predict(predictor, [folder], tmp_path / "out", tell=lambda line: None)
    assert rows(tmp_path / "out" / "areas.csv")[0]["r"] == "100.000"
