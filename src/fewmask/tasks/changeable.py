"""What may change when a run is resumed."""

from collections.abc import Mapping
from typing import Any

from fewmask.errors import UserError
from fewmask.run_folder.paths import RunPaths

CHANGEABLE = (
    "training.steps",
    "training.log_every",
    "training.evaluate_every",
    "training.checkpoint_every",
    "logging",
    "machine",
    "data.root",  # the same images elsewhere; other images are refused
    "data.pool",
    "data.pool_disk_gb",
    "data.cache",
)
"""Settings that may change when a run is resumed. Any other change would make it another run."""


def require_changeable(paths: RunPaths, changes: Mapping[str, Any], prefix: str = "") -> None:
    """Refuses changes that would make a resumed run another one.

    Args:
        paths: of the run.
        changes: nested settings.
        prefix: of their names.

    Raises:
        UserError: for such a change.
    """
    for key, value in changes.items():
        name = f"{prefix}{key}"
        if name in CHANGEABLE:
            continue
        if isinstance(value, Mapping):
            require_changeable(paths, value, f"{name}.")
            continue
        raise UserError(
            f"{name} cannot change when a run is resumed, because that would make it another "
            f"run. You can change {', '.join(CHANGEABLE)}. To start a new run from these weights: "
            f"--weights {paths.last}."
        )
