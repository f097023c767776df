"""The ablations of PCR: where prototypes start, what moves them, and what learns from them."""

import math
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import AfterValidator, Field
from torch import Tensor

from fewmask.batch import IGNORE
from fewmask.config import BaseConfig
from fewmask.errors import UserError
from fewmask.methods.ablations.row import Row
from fewmask.parts import processes
from fewmask.parts.losses import SupervisedLoss, hard_pixels
from fewmask.parts.prototypes import Prototypes
from fewmask.parts.pseudo_labels import PseudoLabel, surest


def _start(text: str) -> str:
    if text not in ("kmeans", "random") and not text.endswith(".npy"):
        raise ValueError(f"expected kmeans, random, or a file VECTORS.npy, not '{text}'")
    return text


class Ablation(BaseConfig):
    """Switches of PCR. As they are, the method is the paper's."""

    initialization: Annotated[str, AfterValidator(_start)] = "kmeans"
    """Where prototypes start: kmeans over features of the labeled images, random directions, or the
    vectors [K, prototypes, D] in a NumPy file (.npy), as the authors' runs did."""
    unit_features: bool = False
    """Prototypes are means of features of length 1, and not of raw ones."""
    keep_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    """The pseudo-labels that count are this percentage of the batch's pixels, the most confident
    ones, and not those of confidence tau. (U2PL, which PCR extends, ranks pixels by entropy.)"""
    updated_by: Literal["none", "labeled", "both"] = "both"
    """Which pixels move prototypes: none, labeled ones alone, or both kinds."""
    labeled_prototypes: bool = False
    """The prototype predictor learns from labeled pixels alone."""
    ohem_prototypes: bool = False
    """The prototype predictor learns from hard labeled pixels alone (OHEM), by the bounds of
    `supervised_loss`; the least number of pixels is scaled to those that it sees."""

    def confident(self, pseudo: PseudoLabel, threshold: float) -> Tensor:
        """Which pseudo-labels count, bool [B, H, W]."""
        if self.keep_percent is None:
            return pseudo.confidence >= threshold
        return surest(pseudo, self.keep_percent)[0]

    def averaged(self, features: Tensor) -> Tensor:
        """The features [N, D] whose means prototypes are."""
        return F.normalize(features, dim=-1) if self.unit_features else features

    def moving(self, labels_l: Tensor, labels_u: Tensor) -> Tensor:
        """Labels of all pixels, [N_l + N_u], with 255 where a pixel moves no prototype."""
        if self.updated_by == "none":
            labels_l = torch.full_like(labels_l, IGNORE)
        if self.updated_by != "both":
            labels_u = torch.full_like(labels_u, IGNORE)
        return torch.cat([labels_l, labels_u])

    def hard(self, logits: Tensor, labels: Tensor, loss: SupervisedLoss, pixels: int) -> Tensor:
        """Labels of sampled pixels, with 255 where one is left out.

        Args:
            logits: [N, K] of the prototype predictor.
            labels: [N].
            loss: knows the bounds of OHEM.
            pixels: how many the samples are drawn from.
        """
        if not self.ohem_prototypes:
            return labels
        least = math.ceil(loss.ohem_min_kept * len(labels) / pixels)
        as_image = logits.detach().T[None, :, None]  # [1, K, 1, N]
        return hard_pixels(as_image, labels[None, None], loss.ohem_threshold, least)[0, 0]

    def place(self, prototypes: Prototypes) -> None:
        """Gives prototypes random directions, or the vectors of the file.

        Raises:
            UserError: if there are no such vectors.
        """
        shape = prototypes.vectors.shape
        random = self.initialization == "random"
        vectors = torch.randn(shape) if random else read_vectors(Path(self.initialization), shape)
        # A file may differ from machine to machine.
        prototypes.vectors.copy_(vectors)
        processes.copy_from_first([prototypes.vectors])
        prototypes.known.fill_(True)


def read_vectors(file: Path, shape: torch.Size) -> Tensor:
    """Vectors for prototypes of a shape [K, P, D], from a file that holds as many numbers.

    Raises:
        UserError: if it does not.
    """
    option = f"method.ablation.initialization={file}"
    if not file.is_file():
        raise UserError(f"{option}: there is no such file. (A folder, a pipe or a device is none.)")
    try:
        # Mapped, so that a file of another size is not read.
        found = np.load(file, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged file fails in many ways
        raise UserError(
            f"{option}: cannot be read as a NumPy file: {error}. Write one with "
            "numpy.save(FILE, vectors)."
        ) from None
    wanted = [*shape], [shape[0] * shape[1], shape[2]]
    fits = [*found.shape] in wanted and found.dtype.kind in "fiu"
    if not fits or not np.isfinite(found).all():
        raise UserError(
            f"{option} holds {found.dtype} of the shape {[*found.shape]}. Expected finite numbers "
            f"of the shape {wanted[0]} or {wanted[1]}: classes, method.prototypes, and channels of "
            "the decoder's features."
        )
    return torch.from_numpy(found.astype(np.float32)).view(shape)


LINEAR, NO_CUTMIX = "method.prototype_weight=0", "method.cutmix_probability=0"
LABELED = "method.ablation.labeled_prototypes=true"
ROWS = (
    Row("PCR"),
    Row("linear predictor alone", (LINEAR,)),
    Row("linear predictor alone, without CutMix", (LINEAR, NO_CUTMIX)),
    Row("prototypes taught by labeled pixels only", (LABELED,)),
    Row("prototypes taught by labeled pixels only, without CutMix", (LABELED, NO_CUTMIX)),
    Row("without CutMix", (NO_CUTMIX,)),
    Row("one prototype per class", ("method.prototypes=1",)),
    Row("two prototypes per class", ("method.prototypes=2",)),
    Row("eight prototypes per class", ("method.prototypes=8",)),
    Row("prototypes follow faster", ("method.prototype_momentum=0.9",)),
    Row("prototypes follow slower", ("method.prototype_momentum=0.999",)),
    Row("a higher temperature", ("method.temperature=0.5",)),
    Row("random initial prototypes", ("method.ablation.initialization=random",)),
    Row("prototypes of unit features", ("method.ablation.unit_features=true",)),
    Row("prototypes that never move", ("method.ablation.updated_by=none",)),
    Row("prototypes moved by labeled pixels only", ("method.ablation.updated_by=labeled",)),
    Row("the most confident 80 % instead of a threshold", ("method.ablation.keep_percent=80",)),
    Row("OHEM for the prototype predictor, too", ("method.ablation.ohem_prototypes=true",)),
)
"""The paper varies the number of prototypes; the other rows are what no source settles."""
