"""Prototypes: vectors that stand for a class, and a classifier that compares pixels with them.

Source: Xu et al., PCR, NeurIPS 2022; Zhou et al., Rethinking Semantic Segmentation: A Prototype
View, CVPR 2022.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewmask.batch import IGNORE, send
from fewmask.errors import UserError
from fewmask.parts import processes
from fewmask.parts.precision import full_precision

CPU = torch.device("cpu")
MAX_PER_CLASS = 20_000  # vectors of one class that k-means looks at


class Assignment(NamedTuple):
    """Vectors compared with prototypes."""

    logits: Tensor  # [N, K], cosine to the nearest prototype of each class over the temperature
    nearest: Tensor  # [N, K] int64, which prototype of each class that is


class Prototypes(nn.Module):
    """Several prototypes per class, kept as buffers; no gradient ever reaches them.

    They keep the length of the features they came from, because the first update would overwhelm a
    unit vector.

    Args:
        num_classes: K.
        per_class: prototypes per class.
        dimension: D, of a feature vector.
        temperature: T, divides the cosine.
    """

    vectors: Tensor  # [K, P, D]
    known: Tensor  # [K] bool: the class has prototypes
    sums: Tensor  # [K, P, D], of the vectors collected for each prototype
    counts: Tensor  # [K, P], how many these are

    def __init__(self, num_classes: int, per_class: int, dimension: int, temperature: float):
        super().__init__()
        self.temperature = temperature
        self.register_buffer("vectors", torch.zeros(num_classes, per_class, dimension))
        self.register_buffer("known", torch.zeros(num_classes, dtype=torch.bool))
        # Empty between whole steps, so no checkpoint holds them.
        self.register_buffer("sums", torch.zeros_like(self.vectors), persistent=False)
        self.register_buffer(
            "counts", self.sums.new_zeros(num_classes, per_class), persistent=False
        )

    def forward(self, features: Tensor) -> Assignment:
        """Compares vectors [N, D] with all prototypes.

        A class without prototypes gets the logit -inf, so it is never chosen.
        """
        own = F.normalize(self.vectors, dim=-1).flatten(0, 1)  # [K P, D]
        with full_precision(features):
            cosine = F.normalize(features.to(own.dtype), dim=-1) @ own.T  # [N, K P]
        best, nearest = cosine.view(-1, *self.vectors.shape[:2]).max(dim=-1)  # [N, K]
        return Assignment((best / self.temperature).masked_fill(~self.known, -torch.inf), nearest)

    @torch.no_grad()
    def fit(self, features: Tensor, labels: Tensor) -> None:
        """Places the prototypes of each class by k-means.

        Clusters are found by direction (on unit vectors). A prototype is the mean of raw vectors.

        Args:
            features: [N, D], the same in every process, on any device.
            labels: [N] int64, 0..K-1 or 255.
        """
        per_class = self.vectors.shape[1]
        for label in range(len(self.vectors)):
            own = features[labels == label][:MAX_PER_CLASS].to(self.vectors.device)
            self.known[label] = len(own) > 0
            if len(own) == 0:
                continue
            if len(own) < per_class:
                own = _jittered(own, per_class)
            cluster = kmeans(F.normalize(own, dim=-1), per_class)
            for k in range(per_class):
                self.vectors[label, k] = own[cluster == k].mean(dim=0)
        # Sums on a GPU differ in their last digits, and so may the clusters of each process.
        self.vectors.copy_(processes.gather(self.vectors[None])[0])

    @torch.no_grad()
    def collect(self, features: Tensor, labels: Tensor, nearest: Tensor) -> None:
        """Remembers vectors for the next `move`; several batches until then count as one.

        Args:
            features: [N, D], raw.
            labels: [N] int64; vectors with 255 are ignored.
            nearest: [N, K] of the forward pass.
        """
        taken = labels != IGNORE
        label = labels.masked_fill(~taken, 0)
        row = label * self.vectors.shape[1] + nearest.gather(1, label[:, None])[:, 0]  # [N]
        weight = taken.to(self.counts.dtype)
        weighted = features.to(self.sums.dtype) * weight[:, None]
        self.sums.flatten(0, 1).index_add_(0, row, weighted)
        self.counts.flatten().index_add_(0, row, weight)

    @torch.no_grad()
    def move(self, momentum: float) -> None:
        """Moves each prototype towards the mean of the vectors of its class nearest to it.

        p <- momentum p + (1 - momentum) mean f, over the collected vectors of all processes. A
        class that occurs for the first time gets prototypes around the mean of its vectors.

        Args:
            momentum: alpha.
        """
        num_classes, per_class, dimension = self.vectors.shape
        sums = processes.total(self.sums)
        counts = processes.total(self.counts)[..., None]  # [K, P, 1]
        moved = self.vectors.lerp(sums / counts.clamp(min=1), 1 - momentum)
        self.vectors.copy_(torch.where(counts > 0, moved, self.vectors))
        seen = counts.sum(dim=1)  # [K, 1]
        new = ~self.known & (seen[:, 0] > 0)
        around = _jittered(sums.sum(dim=1) / seen.clamp(min=1), num_classes * per_class)
        around = around.view(per_class, num_classes, dimension).transpose(0, 1)
        self.vectors.copy_(torch.where(new[:, None, None], around, self.vectors))
        self.known.logical_or_(new)
        self.sums.zero_()
        self.counts.zero_()


def kmeans(points: Tensor, clusters: int, restarts: int = 3, iterations: int = 100) -> Tensor:
    """K-means with k-means++ starts; randomness comes from torch's CPU generator.

    Args:
        points: [N, D], N >= clusters.
        clusters: how many.
        restarts: starts to choose the best of.
        iterations: at most this many per start.

    Returns:
        [N] int64, the cluster of each point; no cluster is empty unless points coincide.
    """
    runs = []
    for _ in range(restarts):
        centers = lloyd(points, _spread_starts(points, clusters), iterations)
        distance, cluster = torch.cdist(points, centers).min(dim=1)
        runs.append((float((distance**2).sum()), cluster))
    best: Tensor = min(runs, key=lambda run: run[0])[1]
    for k in range(clusters):  # coinciding points leave clusters empty, which then take one point
        if not (best == k).any():
            best[k] = k
    return best


def lloyd(points: Tensor, centers: Tensor, iterations: int = 100) -> Tensor:
    """Moves centers [P, D] to the mean of their nearest points until nothing changes."""
    for _ in range(iterations):
        cluster = torch.cdist(points, centers).argmin(dim=1)
        moved = torch.zeros_like(centers).index_add_(0, cluster, points)
        count = torch.bincount(cluster, minlength=len(centers))[:, None]
        moved = torch.where(count > 0, moved / count.clamp(min=1), centers)
        if torch.equal(moved, centers):
            break
        centers = moved
    return centers


def _spread_starts(points: Tensor, clusters: int) -> Tensor:
    """k-means++: starts are drawn in proportion to the squared distance to the nearest start."""
    chosen = [int(torch.randint(len(points), ()))]
    for _ in range(clusters - 1):
        gap = torch.cdist(points, points[chosen]).min(dim=1).values.cpu().double() ** 2
        weight = gap if gap.sum() > 0 else torch.ones_like(gap)
        chosen.append(int(torch.multinomial(weight, 1)))
    return points[chosen]


def _jittered(vectors: Tensor, count: int) -> Tensor:
    """Repeats vectors [n, D] up to `count`, and moves the copies by about a thousandth."""
    copies = vectors[torch.arange(count, device=vectors.device) % len(vectors)]
    noise = torch.randn(copies.shape, device=copies.device)
    noise[: len(vectors)] = 0
    return copies + 1e-3 * noise * copies.abs().mean(dim=1, keepdim=True)


def stratified_points(
    size: tuple[int, int] | torch.Size, cells: int, device: torch.device = CPU
) -> tuple[Tensor, Tensor]:
    """Draws one pixel in each of cells x cells equal rectangles of an image.

    Pixels beyond the last whole cell are never drawn. Source: PCR's released `select_granularity`.

    Returns:
        Rows and columns on the device, [cells^2] int64 each, cell by cell in reading order.

    Raises:
        UserError: if a cell would hold no pixel.
    """
    height, width = size
    if min(size) < cells:
        raise UserError(
            f"method.cells={cells} draws one pixel in each of {cells} x {cells} cells, but a crop "
            f"has {height} x {width} pixels. Set method.cells={min(size)} or fewer, or a larger "
            "loader.crop."
        )
    first = torch.arange(cells)
    row = (first * (height // cells)).repeat_interleave(cells)
    column = (first * (width // cells)).repeat(cells)
    row += torch.randint(height // cells, (cells**2,))
    column += torch.randint(width // cells, (cells**2,))
    return send(row, device), send(column, device)


def features_at(
    features: Tensor, points: tuple[Tensor, Tensor], size: tuple[int, int] | torch.Size
) -> Tensor:
    """Samples features at pixels of the image, as if they had been resized to it, corners aligned.

    Args:
        features: [B, D, h, w].
        points: rows and columns in the image, [N] each, on the features' device.
        size: height and width of the image.

    Returns:
        [B, N, D].
    """
    scaled = [
        2 * position.float() / max(length - 1, 1) - 1
        for position, length in zip(points, size, strict=True)
    ]
    grid = torch.stack(scaled[::-1], dim=-1).expand(len(features), 1, -1, -1)  # x before y
    sampled = F.grid_sample(features.float(), grid, mode="bilinear", align_corners=True)
    return sampled[:, :, 0].transpose(1, 2)
