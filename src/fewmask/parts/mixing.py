"""CutMix and CutOut: partners, and pasting images together with their pseudo-labels.

Images are paired over the global batch, so that a step does not depend on the number of processes.
The released implementations pair images within one GPU. Random numbers come from torch's CPU
generator, which is in the same state in every process.

Source: Yun et al., CutMix, ICCV 2019; easy-hard pairing: Zhao et al., iMAS, CVPR 2023.
"""

import torch
from torch import Tensor

from fewmask.batch import Labeled, send
from fewmask.errors import UserError
from fewmask.parts import processes
from fewmask.parts.boxes import boxes_at, half_area_boxes, random_boxes
from fewmask.parts.pseudo_labels import PseudoLabel


def cutmix(
    images: Tensor, pseudo: PseudoLabel, partner: Tensor, boxes: Tensor
) -> tuple[Tensor, PseudoLabel]:
    """Pastes boxes of partners into images and their pseudo-labels, over the global batch.

    Args:
        images: [B, C, H, W], of this process.
        pseudo: of these images.
        partner: [G] int64, the partner of each image of the global batch.
        boxes: [G, H, W] bool, True where the partner is shown.

    Returns:
        This process's mixed images and pseudo-labels.
    """
    boxes = send(boxes, images.device)
    mixed_images, label, confidence = (
        processes.own(paste(processes.gather(x), partner, boxes)) for x in (images, *pseudo)
    )
    return mixed_images, PseudoLabel(label, confidence)


def cutmix_with_next(
    images: Tensor, pseudo: PseudoLabel, probability: float
) -> tuple[Tensor, PseudoLabel]:
    """The CutMix of the U2PL family: half of each image is replaced by the next image of the batch.

    Args:
        images: [B, C, H, W].
        pseudo: of these images.
        probability: that the batch is mixed at all.
    """
    if torch.rand(()) >= probability:
        return images, pseudo
    count = len(images) * processes.world_size()
    partner = torch.arange(count, device=images.device).roll(-1)
    height, width = images.shape[-2:]
    return cutmix(images, pseudo, partner, half_area_boxes(count, height, width))


def mirrored_partners(images: Tensor) -> Tensor:
    """Pairs the first image of the global batch with the last, and so on, as FixMatch's code does.

    Args:
        images: [B, C, H, W], of this process.

    Returns:
        [G] int64, the partner of each image; symmetric. With odd G the middle image gets itself.
    """
    return torch.arange(len(images) * processes.world_size(), device=images.device).flip(0)


def require_partners(images: Tensor) -> None:
    """Refuses a global batch in which an image has no other image to mix with.

    Raises:
        UserError: for a single image.
    """
    if len(images) * processes.world_size() < 2:
        raise UserError(
            "loader.unlabeled_batch=1: CutMix pastes parts of one unlabeled image into another and "
            "needs two. Set loader.unlabeled_batch=2 or more."
        )


def easy_hard_partners(easiness: Tensor) -> Tensor:
    """Pairs the easiest image with the hardest, the second easiest with the second hardest, ...

    Args:
        easiness: [B], any score to sort by. Equal scores keep their order.

    Returns:
        [B] int64, the partner of each image; symmetric. With odd B the middle image gets itself.

    Example:
        easy_hard_partners(torch.tensor([0.2, 0.9, 0.5, 0.7]))  # tensor([1, 0, 3, 2])
    """
    order = easiness.argsort(stable=True)
    partner = torch.empty_like(order)
    partner[order] = order.flip(0)
    return partner


def paste(x: Tensor, partner: Tensor, boxes: Tensor, source: Tensor | None = None) -> Tensor:
    """Replaces the box of each image with the same place of its unmixed partner.

    Args:
        x: [B, H, W] labels or confidences, or [B, C, H, W] images.
        partner: [B] int64.
        boxes: [B, H, W] bool.
        source: what the partners are of, like `x`; None: `x` itself.
    """
    boxes = boxes.unsqueeze(1) if x.ndim == 4 else boxes
    return torch.where(boxes, (x if source is None else source)[partner], x)


def label_aided_cutmix(
    images: Tensor, pseudo: PseudoLabel, labeled: Labeled, certainty: Tensor
) -> tuple[Tensor, PseudoLabel]:
    """The CutMix of AugSeg, which pastes labeled pixels into what is pasted, over the global batch.

    A box of a labeled image goes into a copy of each image, with probability 1 - certainty. Then a
    box of the partner's copy goes into each image. One random permutation gives the partners of
    both. With fewer labeled images than unlabeled ones, several have the same partner.

    Source: Zhao et al., AugSeg, CVPR 2023; areas are Beta(2, 8) and Beta(4, 4) of the image's.

    Args:
        images: [B, C, H, W], of this process.
        pseudo: of these images.
        labeled: of this process; its labels, 255 included, come with confidence 1.
        certainty: [B] in 0..1, of each image.

    Returns:
        This process's mixed images and pseudo-labels.
    """
    certainty, (height, width) = processes.gather(certainty), images.shape[-2:]
    count, device = len(certainty), images.device
    partner = send(torch.randperm(count), device)
    label_boxes, boxes = (
        send(_beta_boxes(count, height, width, *law), device) for law in ((2.0, 8.0), (4.0, 4.0))
    )
    is_aided = send(torch.rand(count), device) > certainty
    label_boxes = label_boxes & is_aided.view(-1, 1, 1)
    sure = torch.ones_like(labeled.mask, dtype=pseudo.confidence.dtype)
    mixed, label, confidence = (
        processes.own(
            paste_aided(processes.gather(x), processes.gather(x_l), partner, label_boxes, boxes)
        )
        for x, x_l in zip((images, *pseudo), (*labeled, sure), strict=True)
    )
    return mixed, PseudoLabel(label, confidence)


def paste_aided(
    x: Tensor, labeled: Tensor, partner: Tensor, label_boxes: Tensor, boxes: Tensor
) -> Tensor:
    """Pastes labeled images into copies, and boxes of the copies into the images; see `paste`."""
    aided = paste(x, partner % len(labeled), label_boxes, labeled)
    return paste(x, partner, boxes, aided)


def _beta_boxes(count: int, height: int, width: int, a: float, b: float) -> Tensor:
    """A box per image, all with one area ~ Beta(a, b), centered off the upper and left eighth."""
    side = torch.distributions.Beta(a, b).sample().sqrt().item()
    return random_boxes(count, height, width, (side, side), margin=1 / 8)


def random_cut(count: int, height: int, width: int, side: float) -> Tensor:
    """Draws this process's CutOut boxes, centered anywhere: [count, height, width] bool."""
    total = count * processes.world_size()
    rows, columns = torch.randint(height, (total,)), torch.randint(width, (total,))
    sides = (round(side * height), round(side * width))
    return processes.own(boxes_at(rows, columns, sides, height, width))


def at_grid(valid: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Samples bool maps [B, H, W] at the pixels of a coarser, corner-aligned grid: [B, h, w]."""
    rows, columns = (
        torch.linspace(0, length - 1, count, device=valid.device).round().long()
        for length, count in zip(valid.shape[-2:], size, strict=True)
    )
    return valid[:, rows][:, :, columns]
