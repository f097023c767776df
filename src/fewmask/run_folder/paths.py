"""The paths of a run folder. No other module of the package names these files."""

from dataclasses import dataclass
from pathlib import Path

from fewmask.data.source import Subset
from fewmask.errors import listed


@dataclass(frozen=True)
class RunPaths:
    """Every path of a run folder.

    Example:
        RunPaths(Path("runs/photos-fewmatch-001")).best  # runs/photos-fewmatch-001/weights/best.pt
    """

    folder: Path

    @property
    def recipe(self) -> Path:
        """The complete recipe. A folder with this file is a run folder."""
        return self.folder / "recipe.yaml"

    @property
    def writer(self) -> Path:
        """Locked while a process writes to the folder, whose name it holds."""
        return self.folder / ".writer"

    @property
    def environment(self) -> Path:
        """Versions and devices of the machine that trained."""
        return self.folder / "env.json"

    def split(self, subset: Subset) -> Path:
        """The names of the labeled, unlabeled or validation images."""
        return self.folder / "splits" / f"{subset}.txt"

    @property
    def facts(self) -> Path:
        """The count and the fingerprint of each subset."""
        return self.folder / "splits" / "facts.json"

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""
        return self.folder / "weights" / "last.pt"

    @property
    def best(self) -> Path:
        """The best network so far, with everything that prediction needs."""
        return self.folder / "weights" / "best.pt"

    @property
    def log(self) -> Path:
        """The lines that the run printed."""
        return self.folder / "train.log"

    @property
    def metrics(self) -> Path:
        """One JSON line per logged step: losses, learning rate, speed ..."""
        return self.folder / "metrics.jsonl"

    @property
    def results(self) -> Path:
        """One row per evaluation and network."""
        return self.folder / "results.csv"

    @property
    def per_class(self) -> Path:
        """One row per evaluation, network and class."""
        return self.folder / "per_class.csv"

    @property
    def hardness(self) -> Path:
        """One row per unlabeled image and pass; written for methods that report an easiness."""
        return self.folder / "hardness.csv"

    @property
    def pseudo_labels(self) -> Path:
        """One row per evaluation: coverage, accuracy and confidence of the pseudo-labels."""
        return self.folder / "pseudo_labels.csv"

    @property
    def pseudo_shares(self) -> Path:
        """One row per evaluation and class: its share of labels and of pseudo-labels."""
        return self.folder / "pseudo_shares.csv"

    @property
    def times(self) -> Path:
        """One row per evaluation or checkpoint: where the time went, and peak memory."""
        return self.folder / "times.csv"

    @property
    def val_images(self) -> Path:
        """Intersections and unions of each validation image, at the last evaluation."""
        return self.folder / "val_images.npz"

    @property
    def tensorboard(self) -> Path:
        """The folder of TensorBoard's event files."""
        return self.folder / "tb"

    @property
    def profile(self) -> Path:
        """A table of what a step spends its time on."""
        return self.folder / "profile.txt"

    @property
    def profile_trace(self) -> Path:
        """The same as a trace for https://ui.perfetto.dev."""
        return self.folder / "profile_trace.json"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.folder / "report.html"

    @property
    def plots(self) -> Path:
        """The folder of the report's charts as SVG files."""
        return self.folder / "plots"

    @property
    def rank(self) -> Path:
        """The folder with the ranking of what to label next."""
        return self.folder / "rank"

    @property
    def export(self) -> Path:
        """The folder of exported networks."""
        return self.folder / "export"

    @property
    def tables(self) -> tuple[Path, ...]:
        """The CSV files that grow during training."""
        return (
            self.results,
            self.per_class,
            self.hardness,
            self.pseudo_labels,
            self.pseudo_shares,
            self.times,
        )

    @property
    def leftovers(self) -> tuple[Path, ...]:
        """Files of an earlier run in the same folder that a new run might not overwrite."""
        files = (self.metrics, self.log, self.last, self.best, self.report, self.val_images)
        folders = (self.plots, self.rank, self.tensorboard, self.export)
        return (*self.tables, *files, *folders)


def not_a_run(folder: Path) -> str:
    """What to say about a folder without a recipe: it may be that of a comparison."""
    runs = sorted(recipe.parent for recipe in folder.glob("*/recipe.yaml"))
    if runs:
        return f"{folder} is not a run folder, but holds some. Name one: {listed(runs, 6)}."
    return (
        f"{folder} is not a run folder: it has no recipe.yaml. fewmask train names the run folder "
        "at its end."
    )
