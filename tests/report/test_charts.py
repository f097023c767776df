"""Line charts as numbers."""

from fewmask.report.charts import line_chart


def test_a_chart_draws_values_where_they_belong():
    chart = line_chart("t", {"a": [(0, 0.0), (10, 1.0)], "b": [(0, float("nan"))]}, (0, 1))
    (line,) = chart.lines
    assert line.points == "44.0,196.0 390.0,10.0" and line.name == "a"
    assert [text for _, text in chart.y_ticks] == ["0", "0.25", "0.5", "0.75", "1"]
    assert chart.summary == "a ends at 1"
    assert line_chart("empty", {}).lines == []
    assert line_chart("t", {"a": [(0, 43.0)]}).y_ticks[-1][1] == "50"
