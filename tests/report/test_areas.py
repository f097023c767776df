"""The share of each class in every photo."""

import csv

import numpy as np

from fewmask.data import Classes
from fewmask.report.areas import Areas


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


def test_the_mean_is_over_the_rows_of_some_photos(tmp_path):
    areas = Areas(tmp_path / "areas.csv", Classes("ab"))
    assert areas.mean(["p"]) is None
    half = np.zeros((10, 10), np.uint8)
    half[:5] = 255
    areas.add("p", half)
    areas.add("q", half * 0 + 1)
    areas.add("r", half)
    with areas.file.open("a") as file:
        file.write("s,1.0,x,2.0\nt,1.0\n")
    assert areas.mean(["p", "q", "s", "t", "u"]) == [25.0, 50.0]
    assert areas.mean(["s"]) is None


def test_two_processes_lose_no_rows(tmp_path):
    one, other = (Areas(tmp_path / "areas.csv", Classes("ab")) for _ in range(2))
    labels = np.zeros((2, 2), np.uint8)
    one.add("p", labels)
    one.tidy()
    other.add("q", labels)
    one.add("r", labels)
    other.tidy()
    assert [row["photo"] for row in rows(one.file)] == ["p", "q", "r"]
