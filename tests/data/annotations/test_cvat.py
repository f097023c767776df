"""Shapes of CVAT."""

from tests.data.exports import drawn


def test_ellipses_masks_rotated_boxes_and_lines_of_cvat(tmp_path):
    mask, found = drawn(
        tmp_path,
        "a.xml",
        '<annotations><image name="y.png" width="40" height="40">'
        '<ellipse label="e" cx="10" cy="10" rx="8" ry="2" rotation="90"/>'
        '<mask label="m" rle="1,2,1" left="30" top="5" width="2" height="2"/>'
        '<box label="b" xtl="20" ytl="28" xbr="36" ybr="32" rotation="90"/>'
        '<polyline label="l" points="1,1;5,5"/></image></annotations>',
    )
    assert found.classes == ["background", "b", "e", "m"] and found.left_out == {"polyline": 1}
    assert mask[17, 10] == 2 and mask[10, 17] == 0  # stands upright
    assert mask[5:7, 30:32].tolist() == [[0, 3], [3, 0]]
    assert mask[37, 28] == 1 and mask[30, 35] == 0


def test_higher_layers_lie_on_top_wherever_they_stand_in_the_file(tmp_path):
    text = (
        '<annotations><image name="x.png" width="9" height="9">'
        '<box label="small" z_order="1" xtl="2" ytl="2" xbr="4" ybr="4"/>'
        '<box label="large" z_order="0" xtl="1" ytl="1" xbr="8" ybr="8"/></image></annotations>'
    )
    mask, found = drawn(tmp_path, "a.xml", text)
    assert found.classes == ["background", "large", "small"] and found.hidden == []
    assert (mask == 2).sum() == 4 and mask[2, 2] == 2
