"""VIA 3 stores the same as VIA 2 in another form."""

from typing import Any

Json = dict[str, Any]
IMAGE, CHECKBOX = 2, 2  # its numbers for types of files and of attributes
SHAPES: dict[int, tuple[str, ...]] = {
    1: ("point",),
    2: ("rect", "x", "y", "width", "height"),
    3: ("circle", "cx", "cy", "r"),
    4: ("ellipse", "cx", "cy", "rx", "ry"),
    5: ("line",),
    6: ("polyline",),
    7: ("polygon",),
    8: ("extreme rectangle",),
    9: ("extreme circle",),
}
"""The kind of a shape by its number, and what its numbers are."""


def is_version_3(content: Json) -> bool:
    """Whether this is a project of VIA 3."""
    return {"metadata", "file", "view", "attribute"} <= content.keys()


def as_version_2(content: Json) -> Json:
    """A project of VIA 3 as VIA 2 would store it.

    Raises:
        ValueError: if it is about something other than single images.
    """
    images = {}
    for view_id, view in content["view"].items():
        files = [content["file"][str(number)] for number in view["fid_list"]]
        if len(files) != 1 or files[0]["type"] != IMAGE:
            raise ValueError(
                f"view {view_id} of this VIA project shows something else than one image"
            )
        images[view_id] = {"filename": files[0]["fname"], "regions": []}
    for one in content["metadata"].values():
        if one["xy"]:  # else it is about the image as a whole
            region = {
                "shape_attributes": _shape(one["xy"]),
                "region_attributes": _named(one["av"], content["attribute"]),
            }
            images[str(one["vid"])]["regions"].append(region)
    options = {
        one["aname"]: {"options": {name: "" for name in one["options"].values()} or None}
        for one in content["attribute"].values()
    }
    return {"_via_img_metadata": images, "_via_attributes": {"region": options}}


def _shape(numbers: list[float]) -> Json:
    kind, *keys = SHAPES[int(numbers[0])]
    if kind == "polygon":
        return {"name": kind, "all_points_x": numbers[1::2], "all_points_y": numbers[2::2]}
    return {"name": kind, **dict(zip(keys, numbers[1:], strict=bool(keys)))}


def _named(values: Json, attributes: Json) -> Json:
    """Attributes by their names, with the names of the options that were chosen."""
    named = {}
    for number, value in values.items():
        attribute = attributes[number]
        is_ticked = attribute["type"] == CHECKBOX
        chosen = str(value).split(",") if is_ticked else [str(value)]
        names = [attribute["options"].get(one, one) for one in chosen if one]
        named[attribute["aname"]] = dict.fromkeys(names, True)
    return named
