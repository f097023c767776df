"""The same verbs as the command line, for Python: train, evaluate, predict, load."""

import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn

from fewmask import version
from fewmask.assembly import build_method, make_trainer, open_data, start_from
from fewmask.config import did_you_mean, validate
from fewmask.data import Classes, Data
from fewmask.engine import checkpoint
from fewmask.engine.launch import choose_accelerator, choose_precision, launch
from fewmask.engine.settings import MachineConfig
from fewmask.errors import UserError
from fewmask.evaluation import EvaluationConfig, Scores
from fewmask.evaluation import evaluate as evaluate_network
from fewmask.evaluation.predictor import Predictor
from fewmask.models import ModelConfig, create_model
from fewmask.recipe import Recipe, load_recipe, split_words

CHANGEABLE = (
    "training.steps",
    "training.log_every",
    "training.evaluate_every",
    "training.checkpoint_every",
    "machine",
)
"""What may be changed when a run is resumed; everything else would make it another run."""


@dataclass(frozen=True)
class Run:
    """A finished (or interrupted) run."""

    folder: Path
    scores: dict[str, Scores]
    """Last scores of each network; empty if the run was interrupted."""


def train(
    *words: str | Path,
    out: Path | str | None = None,
    overwrite: bool = False,
    weights: Path | str | None = None,
) -> Run:
    """Trains a model.

    Args:
        words: as on the command line: a shipped recipe or a YAML file, if any, then options as
            `key=value`.
        out: the run folder; by default the next number under `runs/`.
        overwrite: whether `out` may hold a run already.
        weights: a checkpoint (`last.pt` or `best.pt`) to start from.

    Raises:
        UserError: for wrong settings or data, before training starts.

    Example:
        run = fewmask.train("synthetic", "method=imas", "training.steps=100")
        run.scores["teacher"].miou
    """
    resolved = load_recipe(*split_words(words))
    data = open_data(resolved)
    name = f"{_word(resolved.data.name)}-{_word(resolved.method.name)}"
    folder = checkpoint.new_run_folder(name, overwrite, None if out is None else Path(out))
    _write_run_files(folder, resolved, data)
    scores = _launch(resolved, folder, data, None if weights is None else Path(weights), False)
    return Run(folder, scores)


def resume(folder: Path | str, *overrides: str) -> Run:
    """Continues a run exactly where its last checkpoint left it.

    Args:
        folder: the run folder.
        overrides: only `machine.*`, `training.steps` and the `training.*_every` may change.

    Raises:
        UserError: if there is no run, or a setting changes that would make it another one.
    """
    folder = Path(folder)
    recipe = changed_recipe(folder, overrides)
    (folder / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    return Run(folder, _launch(recipe, folder, open_data(recipe, tell=False), None, True))


def changed_recipe(folder: Path, overrides: Sequence[str]) -> Recipe:
    """The recipe of a run, with the changes that a resume allows."""
    for override in overrides:
        key = override.partition("=")[0]
        if not any(key == allowed or key.startswith(allowed + ".") for allowed in CHANGEABLE):
            raise UserError(
                f"{key} cannot change in a resumed run; it would no longer be the same run. "
                f"Changeable: {', '.join(CHANGEABLE)}. For a new run from these weights: --weights "
                f"{folder}/weights/last.pt."
            )
    return load_recipe(_recipe_file(folder), overrides)


def rehearse(*words: str | Path) -> tuple[Recipe, float, float]:
    """Builds everything and takes two steps, without writing anything.

    Args:
        words: as for `train`.

    Returns:
        The recipe, seconds per step, and peak memory in GiB.
    """
    resolved = load_recipe(*split_words(words))
    data = open_data(resolved)
    single = resolved.machine.model_copy(update={"devices": 1})
    seconds, memory = launch(single, resolved.training.precision, _rehearse_process, resolved, data)
    return resolved, seconds, memory


def evaluate(run: Path | str, *overrides: str, weights: str = "best") -> tuple[Classes, Scores]:
    """Scores a trained run on its validation images.

    Args:
        run: the run folder.
        overrides: `evaluation.*`, `data.*` and `machine.*` may differ from training.
        weights: `best`, or a network of the last checkpoint: `student`, `teacher` ...

    Returns:
        The classes, and the scores.
    """
    folder = Path(run)
    recipe = load_recipe(_recipe_file(folder), overrides)
    data = open_data(recipe, needs_unlabeled=False)
    scores = launch(
        recipe.machine, recipe.training.precision, _evaluate_process, recipe, folder, weights, data
    )
    return data.classes, scores


def load(run: Path | str, weights: str = "best", accelerator: str = "auto") -> Predictor:
    """Loads a trained model for prediction.

    Args:
        run: a run folder, or a `best.pt` file (which needs nothing else).
        weights: `best`, or the name of a network in the last checkpoint: `student`, `teacher` ...
        accelerator: auto, cpu, cuda or mps.

    Raises:
        UserError: if there is no such run or network.

    Example:
        prediction = fewmask.load("runs/photos-imas-001").predict(image)
    """
    run = Path(run)
    device = choose_accelerator(validate(MachineConfig, {"accelerator": accelerator}, "machine"))
    if run.is_file() or weights == "best":
        file = run if run.is_file() else _weights_file(run, "best")
        state = checkpoint.load(file)
        if "weights" not in state:
            raise UserError(
                f"{file} continues a run; for prediction give its best.pt or run folder."
            )
        config = validate(ModelConfig, state["model"], "model")
        network: nn.Module = create_model(config, len(state["class_names"]))
        network.load_state_dict(state["weights"])
        classes = Classes(state["class_names"], state["class_colours"])
        inference = validate(EvaluationConfig, state["evaluation"], "evaluation")
        return Predictor(network, classes, inference, state["long_side"], device)
    recipe = load_recipe(_recipe_file(run))
    card = checkpoint.load(_weights_file(run, "best"))
    classes = Classes(card["class_names"], card["class_colours"])
    method = build_method(recipe, len(classes), pretrained=False)
    method.load_state_dict(checkpoint.load(_weights_file(run, "last"))["method"])
    networks = method.predictors()
    if weights not in networks:
        raise UserError(
            f"There is no network '{weights}' in {run}. "
            f"{did_you_mean(weights, ['best', *networks])}"
        )
    return Predictor(networks[weights], classes, recipe.evaluation, recipe.data.long_side, device)


def _launch(
    recipe: Recipe, folder: Path, data: Data, weights: Path | None, is_resumed: bool
) -> dict[str, Scores]:
    scores: dict[str, Scores] = launch(
        recipe.machine,
        recipe.training.precision,
        _train_process,
        recipe,
        folder,
        data,
        weights,
        is_resumed,
    )
    return scores


def _train_process(
    fabric: Fabric, recipe: Recipe, folder: Path, data: Data, weights: Path | None, is_resumed: bool
) -> dict[str, Scores]:
    """What every process of a training run does."""
    fresh = not is_resumed and weights is None
    method = build_method(recipe, len(data.classes), pretrained=fresh)
    if weights is not None:
        start_from(method, weights)
    trainer = make_trainer(fabric, recipe, method, data, folder, is_resumed)
    if is_resumed and fabric.global_rank == 0:
        print(
            f"Resumed {folder} at step {trainer.step} of {recipe.training.steps}: networks, "
            "optimizers, learning rate and best scores are restored."
        )
    return trainer.run()


def _rehearse_process(fabric: Fabric, recipe: Recipe, data: Data) -> tuple[float, float]:
    method = build_method(recipe, len(data.classes), pretrained=True)
    return make_trainer(fabric, recipe, method, data, Path()).rehearse()


def _evaluate_process(
    fabric: Fabric, recipe: Recipe, folder: Path, weights: str, data: Data
) -> Scores:
    predictor = load(folder, weights, recipe.machine.accelerator)
    if predictor.classes.names != data.classes.names:
        raise UserError(
            f"{folder} was trained on the classes {list(predictor.classes.names)}, but the data "
            f"has {list(data.classes.names)}."
        )
    network = predictor.network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    with fabric.autocast():
        return evaluate_network(
            network, data.val, len(data.classes), recipe.evaluation, fabric.device
        )


def _write_run_files(folder: Path, recipe: Recipe, data: Data) -> None:
    (folder / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    (folder / "env.json").write_text(json.dumps(environment(), indent=2), encoding="utf-8")
    (folder / "splits").mkdir(exist_ok=True)
    for part in ("labeled", "unlabeled", "val"):
        names: Iterable[str] = getattr(data, part).names
        (folder / "splits" / f"{part}.txt").write_text(
            "".join(f"{n}\n" for n in names), encoding="utf-8"
        )


def environment() -> dict[str, str]:
    """Versions and devices, for bug reports and for repeating a run."""
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "fewmask": version.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "torch": torch.__version__,
        "timm": metadata.version("timm"),
        "cuda device": cuda,
        "cpu threads": str(torch.get_num_threads()),
        "precision auto": choose_precision("auto", "cuda" if torch.cuda.is_available() else "cpu"),
    }


def _recipe_file(folder: Path) -> Path:
    if not (folder / "recipe.yaml").is_file():
        raise UserError(f"{folder} is not a run folder: it has no recipe.yaml.")
    return folder / "recipe.yaml"


def _weights_file(folder: Path, kind: str) -> Path:
    _recipe_file(folder)
    return folder / "weights" / f"{kind}.pt"


def _word(name: str) -> str:
    """A name fit for a folder: the class of an import path, in lower case."""
    return name.rpartition(":")[2].lower()
