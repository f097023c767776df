"""ADE20K (scene parsing, 2016): 20,210 training images, 150 classes.

Layout, as the archive unpacks, below `ADEChallengeData2016` or in the folder itself:

    images/training/ADE_train_00000001.jpg, images/validation/ADE_val_00000001.jpg
    annotations/training/ADE_train_00000001.png

Masks hold 1..150 for the classes, and 0 for other objects, which are ignored.

Source: Zhou et al., Scene Parsing through ADE20K Dataset, CVPR 2017.
"""

from fewmask.data.classes import Classes
from fewmask.data.files import Files, Paths
from fewmask.data.label_table import LabelTable
from fewmask.data.sources.published_dataset import Archive, PublishedDataset, Split, first_folder
from fewmask.errors import UserError

NAMES = (
    "wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, "
    "sidewalk, person, earth, door, table, mountain, plant, curtain, chair, car, water, "
    "painting, sofa, shelf, house, sea, mirror, rug, field, armchair, seat, fence, desk, rock, "
    "wardrobe, lamp, bathtub, railing, cushion, base, box, column, signboard, chest of drawers, "
    "counter, sand, sink, skyscraper, fireplace, refrigerator, grandstand, path, stairs, "
    "runway, case, pool table, pillow, screen door, stairway, river, bridge, bookcase, blind, "
    "coffee table, toilet, flower, book, hill, bench, countertop, stove, palm, kitchen island, "
    "computer, swivel chair, boat, bar, arcade machine, hovel, bus, towel, light, truck, tower, "
    "chandelier, awning, streetlight, booth, television, airplane, dirt track, apparel, pole, "
    "land, bannister, escalator, ottoman, bottle, buffet, poster, stage, van, ship, fountain, "
    "conveyer belt, canopy, washer, plaything, swimming pool, stool, barrel, basket, waterfall, "
    "tent, bag, minibike, cradle, oven, ball, food, step, tank, trade name, microwave, pot, "
    "animal, bicycle, lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase, traffic "
    "light, tray, ashcan, fan, pier, crt screen, plate, monitor, bulletin board, shower, "
    "radiator, glass, clock, flag"
).split(", ")


class ADE20K(PublishedDataset):
    """ADE20K, the scene parsing challenge."""

    KEY = "ade20k"
    CLASSES = Classes(NAMES, values=range(1, len(NAMES) + 1), no_label=0)
    TRAIN_IMAGES, VAL_IMAGES = 20210, 2000
    HOME = "ADE20K (ADEChallengeData2016.zip, data.csail.mit.edu/places/ADEchallenge)"
    ARCHIVES = (
        Archive(
            "http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",
            "7328b3957e407ddae1d3cbf487f149ef",
        ),
    )

    def files(self, split: Split) -> Files:
        """All training or validation images."""
        root, folder = self.config.root, {"train": "training", "val": "validation"}[split]
        home = first_folder((root, root / "ADEChallengeData2016"), "images")
        if home is None:
            raise UserError(
                f"There is no images/ in {root} or its ADEChallengeData2016. data.root must be the "
                f"folder of {self.HOME}."
            )
        names = self.list_folder(home / "images" / folder, ".jpg")
        table = LabelTable(
            len(NAMES),
            mapping={0: 255, **{label + 1: label for label in range(len(NAMES))}},
            ignore=(),
            advice="ADE20K's masks hold 0 (other) and 1..150. Get the file from the data set.",
        )
        return Files(
            Paths(home / "images" / folder, names, ".jpg"),
            Paths(home / "annotations" / folder, names, ".png"),
            names,
            table,
        )
