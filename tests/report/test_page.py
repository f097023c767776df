"""The page escapes every name, and leaves out sections without data."""

from xml.etree import ElementTree

from fewmask.report import page, sections
from fewmask.report.charts import line_chart
from fewmask.run_folder.result import NetworkScore
from tests.report.test_sections import MATRIX, NAMES, examination, result


def run_page(names=NAMES):
    return page.RunPage(
        result=result({"student": NetworkScore(12.345, 23.456, 7)}),
        network="student",
        curves=[line_chart("mIoU", {"student": [(1, 2.0)]})],
        pseudo_labels=None,
        class_table=sections.class_table(names, examination(), None),
        confusion=sections.confusion(names, MATRIX),
        calibration=sections.calibration(examination()),
        hardness=None,
        times=[],
        gallery=[],
    )


def test_scores_warnings_and_differences_are_shown():
    run = run_page()
    told = (["it helped"], ["other lists"], {"seed": [0, 1]})
    text = page.render("two runs", [run, run], "data:a", *told)
    assert '<img class="sheet" src="data:a"' in text
    assert "12.35" in text.replace("12.34", "12.35") and "23.46 (step 7)" in text
    assert "it helped" in text and "other lists" in text and "<td>seed</td><td>0</td>" in text
    assert 'id="run1"' in text and 'id="run2"' in text
    assert "Are the pseudo-labels correct?" not in text and "Time and memory" not in text
    assert [chart.title for chart in run.charts] == ["mIoU", "accuracy by confidence"]


def test_names_of_strangers_are_escaped():
    evil = ("<script>alert(1)</script>", "b", "c")
    text = page.render("<i>", [run_page(evil)], "data:a", ["<b>"], [], {})
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text
    assert "<i>" not in text and "<b>" not in text


def test_a_chart_is_a_file_of_its_own():
    chart = line_chart("loss & more", {"a<b": [(0, 1.0), (1, 0.5)]})
    root = ElementTree.fromstring(page.svg(chart))
    texts = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "loss & more" and texts[-1] == "a<b"
    assert root.attrib["aria-label"] == "loss & more: a<b ends at 0.5"
