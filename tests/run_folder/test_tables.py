"""Tables of a run are read line by line; what a kill left of a line is skipped."""

import pytest

from fewmask.errors import UserError
from fewmask.run_folder.tables import read_metrics, read_table, steps_in


def test_complete_rows_are_read(tmp_path):
    file = tmp_path / "results.csv"
    file.write_text(
        "step,network,miou\n1,teacher,50.5\n2,teacher,nan\n3,teac\nx,teacher,1\n4,teacher,1,2\n"
        "5,teacher,many\n6,student,7"
    )
    rows = read_table(file)
    assert [row["step"] for row in rows] == ["1", "2", "6"]
    assert rows[0] == {"step": "1", "network": "teacher", "miou": "50.5"}


def test_steps_with_rows_are_known(tmp_path):
    file = tmp_path / "times.csv"
    file.write_text("step,steps\n5,1.0\n10,2.0\n15,")
    assert steps_in(file) == {5, 10} and steps_in(tmp_path / "no.csv") == set()


def test_complete_lines_of_metrics_are_read(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(
        b'{"step": 1, "lr": 0.1}\n\xff\xfe\n5\n{"lr": 2}\n{"step": 2}\n{"step": "x"}\n'
        b'{"step": 3, "lr": [1]}\n{"step": 3, "l'
    )
    assert read_metrics(file) == [{"step": 1, "lr": 0.1}, {"step": 2}]


def test_a_missing_file_has_no_rows(tmp_path):
    assert read_table(tmp_path / "no.csv") == [] and read_metrics(tmp_path / "no.jsonl") == []
    (tmp_path / "empty.csv").touch()
    assert read_table(tmp_path / "empty.csv") == []


def test_a_damaged_line_spoils_no_other(tmp_path):
    file = tmp_path / "results.csv"
    lines = ['2,"teacher,2', f"3,{'x' * 200_000},3", f"{'9' * 5000},a,4", "\0" * 200_000, "²,a,5"]
    file.write_text("\n".join(["step,network,miou", "1,a,1", *lines, "6,a,6", ""]))
    assert [row["step"] for row in read_table(file)] == ["1", "6"] and steps_in(file) == {1, 6}


def test_a_table_without_the_columns_that_are_needed_is_refused(tmp_path):
    file = tmp_path / "hardness.csv"
    file.write_text("step,image\n")
    assert read_table(file, "image", "hardness") == []  # nothing was written below it
    file.write_text("step,image,easiness\n1,a,0.5\n")
    with pytest.raises(UserError, match=r"hardness.csv is damaged: it has no column 'hardness'"):
        read_table(file, "image", "hardness")


def test_metrics_of_any_depth_and_length_are_numbers_or_left_out(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text(
        "[" * 200_000 + '\n{"step": true}\n{"step": 1, "loss": ' + "9" * 400 + '}\n{"step": 2}\n'
    )
    assert read_metrics(file) == [{"step": 1, "loss": float("inf")}, {"step": 2}]
