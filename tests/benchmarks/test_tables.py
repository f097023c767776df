"""The tables of README and docs say what the JSON files say."""

import re
import shutil

import pytest
from typer.testing import CliRunner

from benchmarks import headlines, tables
from benchmarks.__main__ import app
from benchmarks.record import Figure, read
from tests.benchmarks.test_record import RESULT


@pytest.fixture
def checkout(tmp_path):
    """The pages and results of this checkout, in a folder that a test may change."""
    for page in (*tables.PAGES, *headlines.PICTURES):
        (tmp_path / page).parent.mkdir(exist_ok=True)
        shutil.copy(tables.ROOT / page, tmp_path / page)
    for folder in tables.RESULTS:
        shutil.copytree(tables.ROOT / folder, tmp_path / folder)
    return tmp_path


def run(checkout, *words):
    return CliRunner().invoke(app, ["tables", "--root", str(checkout), *words])


def test_the_pages_hold_the_stored_figures():
    result = CliRunner().invoke(app, ["tables", "--check"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("page", tables.PAGES)
def test_a_figure_changed_on_a_page_fails_the_check_and_is_put_right(checkout, page):
    file = checkout / page
    before = file.read_text()
    region = tables.REGION.search(before)
    changed = re.sub(r"(?<=[^`]\| )\d", lambda digit: f"{9 - int(digit[0])}", region[0], count=1)
    assert changed != region[0]
    file.write_text(before.replace(region[0], changed))
    result = run(checkout, "--check")
    assert result.exit_code == 1 and page in str(result.exception) + result.output
    assert file.read_text() != before, "--check writes nothing"
    assert run(checkout).exit_code == 0
    assert file.read_text() == before and run(checkout, "--check").exit_code == 0


def test_a_picture_is_drawn_from_the_stored_figures(checkout):
    (picture,) = headlines.PICTURES
    before = (checkout / picture).read_text()
    assert "supervised" in before and before.count("<polyline") == 2
    (checkout / picture).unlink()
    assert run(checkout, "--check").exit_code == 1
    assert run(checkout).exit_code == 0 and (checkout / picture).read_text() == before


def test_a_changed_result_fails_the_check(checkout):
    file = next((checkout / tables.RESULTS[0]).glob("imas.*.json"))
    text = file.read_text()
    file.write_text(text.replace('"speedup", "value": 1.6', '"speedup", "value": 1.7'))
    assert file.read_text() != text
    result = run(checkout, "--check")
    # The README and its page cannot differ: one number is behind both.
    assert result.exit_code == 1
    run(checkout)
    assert "| 1.7 x |" in (checkout / "README.md").read_text()
    assert "| 1.7 |" in (checkout / "docs/benchmarks.md").read_text()


def test_tables_are_the_same_each_time(checkout):
    results = tables.stored(checkout)
    for page in tables.PAGES:
        text = (checkout / page).read_text()
        once = tables.render(text, results)
        assert once == tables.render(once, tables.stored(checkout))


def test_every_stored_result_is_on_a_page():
    pages = "\n".join((tables.ROOT / page).read_text() for page in tables.PAGES)
    for result in tables.stored():
        assert tables.section(result) in pages, result.file_name


def test_a_region_without_results_is_an_error():
    page = "<!-- generated: nothing -->\n<!-- end generated -->"
    with pytest.raises(ValueError, match="no stored result is named nothing"):
        tables.render(page, [RESULT])


def test_a_damaged_result_is_named(checkout):
    file = checkout / tables.RESULTS[0] / "broken.json"
    file.write_text('{"name": "broken"}')
    result = run(checkout)
    assert result.exit_code == 1 and "broken.json" in str(result.exception) + result.output


def test_subjects_that_share_a_quantity_share_a_table():
    figures = [
        Figure("a", "time", 1, "ms"),
        Figure("b", "time", 2, "ms"),
        Figure("b", "memory", 3, "GiB"),
        Figure("c", "rate", 4, "GB/s"),
    ]
    assert tables.groups(figures) == [figures[:3], figures[3:]]


def test_a_section_names_command_machine_and_units():
    text = tables.section(RESULT)
    command = "`python -m benchmarks loader`, 9 rounds, 2026-11-21"
    assert text.startswith(f"{command}: A (R) CPU, 2 threads, Linux x86_64")
    table = "| | ours (ms) | speedup (x) |\n| --- | ---: | ---: |\n| labeled | 1.85 | 2.1 |"
    assert text.endswith(table)


def test_the_machine_of_the_readme_has_results():
    results = {result.file_name: result for result in tables.stored()}
    photos = {f"{file}.json" for _, _, *files in headlines.PHOTOS for file in files}
    assert {headlines.SCENES, *photos} <= set(results)
    assert all(read(file) for file in (tables.ROOT / tables.RESULTS[0]).glob("*.json"))
