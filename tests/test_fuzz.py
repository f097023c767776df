"""Whatever options and files hold, a command ends in one message. Seeded; see `fuzzing.py`."""

import base64
import importlib
import json
import math
import pkgutil
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import fewmask
from fewmask import api
from fewmask.config import BaseConfig, read_yaml, validate
from fewmask.data.annotations.importing import import_masks
from fewmask.data.checks.survey import describe_image, describe_mask
from fewmask.data.classes import Classes
from fewmask.data.image_labels import read_image_labels
from fewmask.data.images import looks_whole, read_image
from fewmask.data.lists.reading import read_lines
from fewmask.data.masks import read_stored
from fewmask.data.pool.shard_files import image_table
from fewmask.data.sources.folder import Folder, folder_values
from fewmask.engine.sinks import Sink
from fewmask.engine.sinks.csv_tables import CsvTables
from fewmask.engine.sinks.jsonl_metrics import JsonlMetrics
from fewmask.errors import UserError
from fewmask.recipes import Recipe, load_recipe
from fewmask.report import curves
from fewmask.run_folder import checkpoint, weights_file
from fewmask.run_folder.paths import RunPaths
from fewmask.run_folder.result import in_words, read_result
from fewmask.run_folder.subsets import read_fingerprints
from tests.conftest import TINY_WORDS
from tests.data.pools import write_shards
from tests.fuzzing import SECONDS, VALUES, mutated, rounds


def config_classes() -> list[type[BaseConfig]]:
    """All of the package's own."""
    for module in pkgutil.walk_packages(fewmask.__path__, "fewmask."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found, left = [], [BaseConfig]
    while left:
        own = left.pop().__subclasses__()
        found += [one for one in own if one.__module__.startswith("fewmask.")]
        left += own
    return found


def accepted(config: type[BaseConfig], field: str, value: object) -> bool:
    try:
        needed = {n: "x" for n, f in config.model_fields.items() if f.is_required()}
        validate(config, {**needed, field: value}, "x")
    except UserError as error:
        assert str(error)
        return False
    return True


def is_reasonable(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(is_reasonable, value))
    return not isinstance(value, (int, float)) or (math.isfinite(value) and abs(value) < 2**63)


def test_every_field_takes_a_value_or_says_what_is_wrong(capsys):
    tried = 0
    for config in config_classes():
        for field in config.model_fields:
            for value in VALUES:
                taken = accepted(config, field, value)
                assert not taken or is_reasonable(value), (config, field, value)
                tried += 1
    with capsys.disabled():
        print(f" {tried} values of options ", end="")
    assert tried > 3000


@pytest.mark.parametrize("method", ["imas", "pcr", "gta", "pseudoseg", "fewmatch"])
def test_values_that_are_taken_make_a_recipe(method, capsys):
    """The sections together, as from a file; what is refused is refused in one message."""
    base = load_recipe(None, {"data": {"name": "synthetic"}, "method": {"name": method}})
    sections = [name for name in Recipe.model_fields if name != "seed"]
    tried = 0
    for rng in rounds(SECONDS / 10):
        section = rng.choice(sections)
        field = rng.choice([*type(getattr(base, section)).model_fields])
        value = rng.choice(VALUES)
        given = {"data": {"name": "synthetic"}, "method": {"name": method}}
        given[section] = {**given.get(section, {}), field: value}
        try:
            load_recipe(None, given)
        except UserError as error:
            assert str(error)
        tried += 1
    with capsys.disabled():
        print(f" {tried} recipes ", end="")


NAMES, CLASSES = ["p1", "p2"], Classes(["a", "b", "c"])


def read_import(file: Path) -> None:
    shutil.rmtree(file.parent / "out", ignore_errors=True)  # it numbers the classes to come
    is_labelme = file.parent.name == "only"
    import_masks(file.parent if is_labelme else file, file.parent / "out", overwrite=True)


def read_options(file: Path) -> None:
    read_yaml(file)
    values = folder_values(file)
    Classes(validate(Folder.Config, values, "data").names or ["a"])


def read_shard(file: Path) -> None:
    with file.open("rb") as opened:
        image_table(opened, file.name)


READERS = {
    "image": (read_image, lambda f: read_image(f, 4), describe_image, looks_whole),
    "mask": (read_stored, lambda f: read_stored(f, as_colors=True), describe_mask),
    "export": (read_import,),
    "list": (read_lines,),
    "yaml": (read_options,),
    "labels": (lambda f: read_image_labels(f, NAMES, CLASSES),),
    "checkpoint": (lambda f: checkpoint.load(f, "weights"),),
    "weights": (lambda f: weights_file.load(f, "weights"),),
    "shard": (read_shard,),
}
"""What reads a kind of file. Anything but a UserError is a failure of the test."""


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[tuple[str, str, bytes]]:
    """Kind, name and content of a small sound file of each format that is read."""
    home = tmp_path_factory.mktemp("sound")
    made = [
        *pictures(home),
        *arrays(home),
        *exports(),
        *texts(),
        ("shard", "000.tar", (write_shards(home / "shards", [2]) / "000.tar").read_bytes()),
    ]
    checkpoint.save({"weights": {"w": torch.ones(3)}, "recipe": {"a": [1]}}, home / "best.pt")
    weights_file.save({"weights": {"w": torch.ones(3)}, "recipe": {}}, home / "best.safetensors")
    made.append(("checkpoint", "best.pt", (home / "best.pt").read_bytes()))
    return [*made, ("weights", "best.safetensors", (home / "best.safetensors").read_bytes())]


def pictures(home: Path):
    rng = np.random.default_rng(0)
    colors = Image.fromarray(rng.integers(0, 256, (9, 7, 3), np.uint8))
    bands = Image.fromarray(rng.integers(0, 256, (9, 7, 4), np.uint8))
    labels = Image.fromarray(rng.integers(0, 3, (9, 7), np.uint8))
    deep = Image.fromarray(rng.integers(0, 3, (9, 7)).astype(np.uint16))
    for kind, picture, names in (
        ("image", colors, ["a.jpg", "a.png", "a.bmp", "a.tif", "a.webp"]),
        ("image", bands, ["b.png", "b.tif"]),
        ("image", deep, ["c.png", "c.tif"]),
        ("mask", labels, ["d.png", "d.tif", "d.gif", "d.bmp"]),
        ("mask", labels.convert("P"), ["e.png"]),
        ("mask", deep, ["f.png", "f.tif"]),
    ):
        for name in names:
            picture.save(home / name)
            yield kind, name, (home / name).read_bytes()


def arrays(home: Path):
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
    np.save(home / "m.npy", labels)
    np.savez_compressed(home / "m.npz", labels=labels)
    names = ["m.npy", "m.npz"]
    try:
        from scipy.io import savemat
    except ImportError:
        pass
    else:
        savemat(home / "m.mat", {"labels": labels})
        savemat(home / "n.mat", {"s": {"labels": labels, "c": ["a", 1.5]}}, do_compression=True)
        names += ["m.mat", "n.mat"]
    for name in names:
        yield "mask", name, (home / name).read_bytes()


def exports():
    ring = [2, 2, 9, 2, 9, 8, 2, 8]
    points = [[2.0, 2.0], [9.0, 2.0], [9.0, 8.0]]
    one = {"image_id": 1, "category_id": 1, "id": 1}
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 10}],
        "categories": [{"id": 1, "name": "x"}],
        "annotations": [
            {**one, "segmentation": [ring]},
            {**one, "segmentation": {"size": [10, 20], "counts": [50, 20, 130]}},
        ],
    }
    value = {"points": points, "polygonlabels": ["a"]}
    region = {"type": "polygonlabels", "original_width": 20, "original_height": 10, "value": value}
    task = [{"data": {"image": "a.jpg"}, "annotations": [{"result": [region]}]}]
    shape = {"name": "polygon", "all_points_x": [1, 4, 4], "all_points_y": [2, 2, 8]}
    regions = [{"shape_attributes": shape, "region_attributes": {"name": "a"}}]
    via = {"a.png9": {"filename": "a.png", "size": 9, "regions": regions, "file_attributes": {}}}
    mask = base64.b64encode(png()).decode()
    labelme = {
        "imagePath": "a.png", "imageWidth": 20, "imageHeight": 10,
        "shapes": [
            {"label": "a", "shape_type": "polygon", "points": points},
            {"label": "b", "shape_type": "mask", "points": [[1, 1], [3, 3]], "mask": mask},
        ],
    }  # fmt: skip
    cvat = (
        '<annotations><image id="0" name="a.png" width="20" height="10"><mask label="x" left="6" '
        'top="0" width="4" height="4" rle="0,16"/><polygon label="y" points="1,1;9,1;9,9"/>'
        "</image></annotations>"
    )
    for name, content in (("c.json", coco), ("t.json", task), ("v.json", via)):
        yield "export", name, json.dumps(content).encode()
    yield "export", "only/a.json.labelme", json.dumps(labelme).encode()
    yield "export", "e.xml", cvat.encode()


def png() -> bytes:
    """A gray PNG of 2 x 2 pixels."""
    content = BytesIO()
    Image.fromarray(np.ones((2, 2), np.uint8)).save(content, "PNG")
    return content.getvalue()


def texts():
    yield "list", "l.txt", b"# names\np1.png\np2.png masks/p2.png\nsub/p3\n"
    options = b"root: .\nnames: [a, 'b: c', c]\nignore: [255]\nlabel_mapping: {0: 0, 255: 1}\n"
    yield (
        "yaml",
        "data.yaml",
        options + b"val_fraction: .3\nimages: &i images\nmasks: *i\nrange: [-1, 2.5e3]\n",
    )
    yield "labels", "l.csv", b"image,classes\np1.jpg,a;b\np2.jpg,c\n"
    yield "labels", "l.json", b'{"p1": ["a", "b"], "p2": ["c"]}'


def test_sound_files_are_read(files, tmp_path):
    for kind, name, content in files:
        file = placed(tmp_path, name, content)
        if kind != "image":
            READERS[kind][0](file)


def placed(folder: Path, name: str, content: bytes) -> Path:
    """A file; what a folder of labels is about, alone in one, with the photo that it is about."""
    file = folder / name.removesuffix(".labelme")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    photo = file.parent / "a.png"
    if not photo.exists():
        Image.new("RGB", (20, 10)).save(photo)
    return file


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_of_every_format_are_one_message(files, tmp_path, capsys):
    tried = 0
    for rng in rounds():
        kind, name, content = rng.choice(files)
        file = placed(tmp_path, name, mutated(content, rng))
        for read in READERS[kind]:
            try:
                read(file)
            except UserError as error:
                assert str(error)
            except BaseException as error:
                error.add_note(f"{kind} {name}: {file.read_bytes()[:2000]!r}")
                raise
            tried += 1
    with capsys.disabled():
        print(f" {tried} damaged files ", end="")


RUN_READERS = (
    lambda paths: in_words(read_result(paths.folder)),
    read_fingerprints,
    curves.training_charts,
    curves.pseudo_label_chart,
    curves.pseudo_label_shares,
    lambda paths: curves.hardness_chart(curves.hardness_by_period(paths)),
    lambda paths: CsvTables(Sink.Config(name="csv")).open(paths, 2),
    lambda paths: JsonlMetrics(Sink.Config(name="jsonl")).open(paths, 2),
)
"""What reads the tables and notes of a run. The last two write as well."""


def test_damaged_tables_and_notes_of_a_run_are_one_message(tmp_path, capsys):
    paths = RunPaths(tmp_path / "run")
    api.train("synthetic", *TINY_WORDS, "method=imas", "training.steps=3", out=paths.folder)
    files = [*paths.tables, paths.metrics, paths.facts, paths.recipe]
    sound = {file: file.read_bytes() for file in files}
    tried = 0
    for rng in rounds(SECONDS / 2):
        file = rng.choice(files)
        file.write_bytes(mutated(sound[file], rng))
        damaged = file.read_bytes()
        for read in RUN_READERS:
            try:
                read(paths)
            except UserError as error:
                assert str(error)
            except BaseException as error:
                error.add_note(f"{file.name}: {damaged[:2000]!r}")
                raise
            tried += 1
        for changed in files:
            changed.write_bytes(sound[changed])
    with capsys.disabled():
        print(f" {tried} damaged files of runs ", end="")
