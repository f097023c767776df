"""Commands for data: check, import, prepare, split."""

import re
from pathlib import Path
from typing import Annotated

import typer
import yaml

from fewmask.cli.app import Options, command
from fewmask.errors import UserError


@command()
def check(
    data: Annotated[str, typer.Argument(help="A folder, a YAML file, or a data set by name.")],
    options: Options = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    write: Annotated[
        Path | None, typer.Option(help="Write a draft of the data's YAML file.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Write a picture of labeled photos under their masks, as .png or .jpg."),
    ] = None,
) -> None:
    """Read every file of a data set, and report what is wrong and how to fix it.

    The exit code is 0 without findings, 1 with warnings, and 2 with errors.

    Examples: `fewmask check photos`, `fewmask check photos --write photos/data.yaml`,
    `fewmask check photos --picture photos.png`,
    `fewmask check camvid data.root=CAMVID`
    """
    import json

    from fewmask.cli.words import recipe_from_words
    from fewmask.report.draft import require_new, write_draft
    from fewmask.tasks import check as task

    is_option = data.startswith(("data=", "data.")) and "=" in data  # as for `train`
    recipe = recipe_from_words([data if is_option else f"data={data}", *(options or [])])
    if write is not None:
        require_new(write)  # before all files are read
    found = task.check(recipe)
    print(json.dumps(found.as_dict(), indent=2) if as_json else found.in_words())
    if write is not None:
        write_draft(found, write)
        note = f"Wrote a draft to {write}. Review it, then: fewmask train data={write}"
        # Standard output holds the JSON alone, so that programs can read it.
        typer.echo(note, err=as_json)
    if picture is not None:
        typer.echo(task.draw(recipe, found, picture), err=as_json)
    raise typer.Exit(found.exit_code)


@command("import")
def import_(
    source: Annotated[
        Path,
        typer.Argument(
            help="A COCO, Label Studio or VIA .json, a CVAT .xml, or a folder of YOLO labels or "
            "LabelMe .json files."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder for the masks.")] = Path("masks"),
    names: Annotated[
        str, typer.Option(help="Class names in order, separated by commas; default: the export's.")
    ] = "",
    values: Annotated[
        str,
        typer.Option(help="Values of background and classes in the masks; default: 0,1,2 ..."),
    ] = "",
    empty_is_background: Annotated[
        bool,
        typer.Option(
            "--empty-is-background", help="Images without an object get a mask of background."
        ),
    ] = False,
    images: Annotated[
        Path | None,
        typer.Option(help="The photos. Masks get their subfolders; VIA and YOLO need their sizes."),
    ] = None,
    attribute: Annotated[
        str, typer.Option(help="The region attribute of VIA that names the class.")
    ] = "",
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace masks of an earlier import that you did not change."
        ),
    ] = False,
) -> None:
    """Convert the export of a labeling tool into masks.

    Examples: `fewmask import export.json --out photos/masks`,
    `fewmask import via.json --images photos/images --out photos/masks`
    """
    from fewmask.data.annotations.importing import import_masks

    given = [name.strip() for name in names.split(",") if name.strip()]
    numbers = _whole_numbers(values)
    done = import_masks(
        source, out, given, overwrite, empty_is_background, numbers, images, attribute
    )
    print("\n".join(done.in_words(out)))
    if done.values != [*range(len(done.classes))]:
        pairs = zip(done.classes, done.values, strict=True)
        print(f"The masks hold {', '.join(f'{value} for {name}' for name, value in pairs)}.")
        return
    # One line however many classes there are, ready to be pasted.
    line = yaml.safe_dump(done.classes, default_flow_style=True, width=1e9, allow_unicode=True)
    print(f"Add this line to the data's YAML file: names: {line.strip()}")


def _whole_numbers(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(re.fullmatch(r"\d{1,9}", word) for word in words):
        raise UserError(f"--values {text[:40]}: expected whole numbers such as 0,1,2.")
    return [int(word) for word in words]


@command()
def prepare(
    name: Annotated[str, typer.Argument(help="voc, cityscapes, coco, ade20k or camvid.")],
    root: Annotated[Path, typer.Option(help="The data set's folder.")],
    download: Annotated[
        bool,
        typer.Option("--download", help="Download the public files and verify their checksums."),
    ] = False,
) -> None:
    """Convert a published data set into the form that training reads.

    Joins VOC with SBD, draws the masks of COCO, and counts the images. Finished work is skipped.
    After an interruption, give the same command again. The exit code is 1 if the counts differ from
    the published ones.

    Example: `fewmask prepare voc --root data/voc --download`
    """
    from fewmask.tasks import prepare as task

    _, warnings = task.prepare(name, root, download, print)
    for warning in warnings:
        print(f"Warning: {warning}")
    if warnings:
        raise typer.Exit(1)
    print(f"Ready: fewmask train data={name} data.root={root}")


@command()
def split(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LIST | RECIPE] [DATA OPTIONS]...",
            help="A list to recognize, or data to draw from: a recipe, or data=photos.",
        ),
    ] = None,
    published: Annotated[
        str | None, typer.Option(help="Copy this published list, such as voc/u2pl/662.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", help="A clone of the authors' repository, or a URL; default: GitHub."
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="How many images to draw, as numbers or shares: 1/16,1/8,1/4."),
    ] = None,
    how: Annotated[
        str,
        typer.Option(
            help="How to draw: random, balanced (over the classes) or every (k-th image)."
        ),
    ] = "random",
    seed: Annotated[int, typer.Option(help="Random seed of the draw.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="The list file; with --size, the folder for the lists.")
    ] = None,
) -> None:
    """Recognize, copy or draw lists of labeled images.

    Examples: `fewmask split my_list.txt`, `fewmask split --published voc/u2pl/662`,
    `fewmask split data=voc data.root=VOC --size 1/16,1/8 --how balanced --out lists`
    """
    from fewmask.cli.words import recipe_from_words
    from fewmask.tasks import lists

    words = words or []
    if published is not None:
        if words or size is not None:
            raise UserError("--published copies a list. Leave out the data set and --size.")
        lists.copy(published, source, out or Path(f"{published.replace('/', '_')}.txt"))
    elif size is not None:
        recipe = recipe_from_words(words)
        lists.draw_lists(recipe, size.split(","), how, seed, out or Path("splits"))
    elif len(words) == 1 and "=" not in words[0]:
        lists.recognize(Path(words[0]))
    else:
        raise UserError(
            "Give a list file to recognize it, --published NAME to copy a list, or a data set and "
            "--size to draw one. See fewmask split --help."
        )
