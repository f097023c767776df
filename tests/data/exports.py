"""Exports of six labeling tools with the same two shapes."""

import json

import numpy as np
from PIL import Image

from fewmask.data.annotations.importing import import_masks

SQUARE, CORNER = [(2, 2), (7, 2), (7, 7), (2, 7)], [(5, 5), (11, 5), (11, 9), (5, 9)]


def labelme(root):
    for name, shapes in (("a", [("house", SQUARE), ("car", CORNER)]), ("b", [])):
        content = {
            "imageWidth": 12,
            "imageHeight": 10,
            "shapes": [{"label": n, "points": p, "shape_type": "polygon"} for n, p in shapes],
        }
        root.mkdir(exist_ok=True)
        (root / f"{name}.json").write_text(json.dumps(content))
    return root


def coco(root):
    flat = [[float(v) for point in ring for v in point] for ring in (SQUARE, CORNER)]
    content = {
        "images": [
            {"id": i, "file_name": f"{n}.jpg", "width": 12, "height": 10}
            for i, n in enumerate("ab")
        ],
        "categories": [{"id": 7, "name": "house"}, {"id": 9, "name": "car"}],
        "annotations": [
            {"image_id": 0, "category_id": c, "segmentation": [ring]}
            for c, ring in zip((7, 9), flat, strict=True)
        ],
    }
    root.mkdir(exist_ok=True)
    (root / "export.json").write_text(json.dumps(content))
    return root / "export.json"


def cvat(root):
    rings = ["".join(f"{x},{y};" for x, y in ring)[:-1] for ring in (SQUARE, CORNER)]
    root.mkdir(exist_ok=True)
    (root / "export.xml").write_text(
        "<annotations><version>1.1</version>"
        '<image id="0" name="a.jpg" width="12" height="10">'
        f'<polygon label="house" points="{rings[0]}"/><polygon label="car" points="{rings[1]}"/>'
        '</image><image id="1" name="b.jpg" width="12" height="10"/></annotations>'
    )
    return root / "export.xml"


def photos(folder, *names, size=(12, 10)):
    """Photos of nothing, which say how large they are."""
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(file)
    return folder


def label_studio(root):
    photos(root, "a.jpg", "b.jpg")
    shares = [[(x / 12 * 100, y / 10 * 100) for x, y in ring] for ring in (SQUARE, CORNER)]
    results = [
        {
            "id": label,
            "type": "polygonlabels",
            "original_width": 12,
            "original_height": 10,
            "value": {"points": points, "polygonlabels": [label]},
        }
        for label, points in zip(("house", "car"), shares, strict=True)
    ]
    tasks = [
        {"data": {"image": f"/data/upload/1/0123abcd-{name}.jpg"}, "annotations": [{"result": r}]}
        for name, r in (("a", results), ("b", []))
    ]
    (root / "export.json").write_text(json.dumps(tasks))
    return root / "export.json"


def via(root):
    photos(root, "a.jpg", "b.jpg")
    regions = [
        {
            "shape_attributes": {"name": "polygon", "all_points_x": xs, "all_points_y": ys},
            "region_attributes": {"class": label},
        }
        for label, ring in (("house", SQUARE), ("car", CORNER))
        for xs, ys in [np.transpose(ring).tolist()]
    ]
    content = {
        f"{name}1": {"filename": f"{name}.jpg", "regions": of_image}
        for name, of_image in (("a", regions), ("b", []))
    }
    (root / "export.json").write_text(json.dumps(content))
    return root / "export.json"


def yolo(root):
    photos(root / "images", "a.jpg", "b.jpg")
    rings = [" ".join(f"{x / 12} {y / 10}" for x, y in ring) for ring in (SQUARE, CORNER)]
    (root / "labels").mkdir()
    (root / "labels/a.txt").write_text(f"1 {rings[0]}\n0 {rings[1]}\n")
    (root / "labels/b.txt").write_text("")
    (root / "data.yaml").write_text("names: [car, house]\n")
    return root


def drawn(tmp_path, name, text, overwrite=False):
    """Imports one file, and gives back the mask of its first image, and what was left out."""
    (tmp_path / name).write_text(text)
    found = import_masks(tmp_path / name, tmp_path / "m", (), overwrite, empty_is_background=True)
    file = tmp_path / "m" / f"{next(iter(found.drawn))}.png"
    return np.asarray(Image.open(file)), found
