"""The command that writes a trained network for other programs: export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fewmask.cli.app import Weights, command
from fewmask.cli.printing import show

if TYPE_CHECKING:
    from fewmask.tasks.export import Exported


@command()
def export(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    format: Annotated[str, typer.Option(help="onnx, torchscript or safetensors.")] = "onnx",
    precision: Annotated[
        str, typer.Option(help="fp32; for ONNX also fp16 or int8, scored on val.")
    ] = "fp32",
    weights: Weights = "best",
    out: Annotated[
        Path | None, typer.Option(help="The file; default: in the folder export of the run.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file if it exists.")
    ] = False,
) -> None:
    """Write a network to a file that runs without fewmask: docs/deploy.md shows how.

    The file is compared with fewmask's own prediction, and kept only if both agree.

    Example: `fewmask export runs/photos-fewmatch-001 --format onnx`
    """
    from fewmask.runs.run import Run
    from fewmask.tasks import export as task

    made = task.export(Run.open(run), format, precision, weights, out, overwrite)
    if made.scores:
        _print_scores(made)
    megabytes = made.file.stat().st_size / 1e6
    print(f"{made.file}: {megabytes:.1f} MB{_takes(made, format)}")


def _takes(made: "Exported", format: str) -> str:
    """What a file takes, to be printed after its size."""
    if format == "safetensors":
        return ", weights with settings and classes"
    size = made.card["size"]
    images = f"images of {size[0]} x {size[1]} pixels" if size else "images of any size"
    opset = f", opset {made.card['opset']}" if format == "onnx" else ""
    return f"{opset}, takes {images}"


def _print_scores(made: "Exported") -> None:
    from rich.table import Table

    table = Table("", "mIoU on val %", "MB", "ms per image")
    for name, miou, megabytes, milliseconds in made.scores:
        score = "unknown" if miou != miou else f"{miou:.2f}"
        table.add_row(name, score, f"{megabytes:.2f}", f"{milliseconds:.1f}")
    show(table)
