"""Tables of a run are read line by line; what a kill left of a line is skipped."""

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
