"""Strong views: the weak view in other colors, pixel-aligned with it.

A strong view is a function of an image uint8 [H, W, 3] and a random generator, and returns an image
of the same shape. Methods ask for it in `Views(strong=(...))`, by a plain word or by
`package.module:function`.
"""

from collections.abc import Callable
from functools import partial
from inspect import signature

import numpy as np

from fewmask.batch import Views
from fewmask.config import find
from fewmask.errors import UserError

StrongView = Callable[[np.ndarray, np.random.Generator], np.ndarray]

STRONG_VIEWS = {
    "augseg": "fewmask.data.views.augseg:augseg_strong_view",
    "imas": "fewmask.data.views.imas:imas_strong_view",
    "pseudoseg": "fewmask.data.views.pseudoseg:pseudoseg_strong_view",
    "unimatch": "fewmask.data.views.unimatch:unimatch_strong_view",
}
"""Plain word to import path. Name a view of your own as package.module:function."""


def find_strong_view(name: str) -> StrongView:
    """Finds a strong view by plain word or `package.module:function`.

    Raises:
        UserError: if the word is unknown, the import fails, or the result cannot be called.

    Example:
        find_strong_view("my_lab.views:sepia")
    """
    if ":" not in name and name not in STRONG_VIEWS:
        raise UserError(
            f"The method or loader.labeled_view asks for the strong view '{name}', which is "
            f"unknown. Known: {', '.join(STRONG_VIEWS)}. For a view of your own, write "
            "package.module:function."
        )
    view: StrongView = find(name, STRONG_VIEWS, "strong_view")
    if not callable(view):
        raise UserError(
            f"The strong view '{name}' is a {type(view).__name__}. Name a function of an image "
            "uint8 [H, W, 3] and a numpy random Generator."
        )
    return view


def strong_views(views: Views) -> list[StrongView]:
    """The strong views that a method asks for; if they have a parameter `amount`, with its amount.

    Raises:
        UserError: if one does not exist.
    """
    found: list[Callable[..., np.ndarray]] = [find_strong_view(name) for name in views.strong]
    if views.amount is None:
        return [*found]
    return [
        partial(view, amount=views.amount) if "amount" in signature(view).parameters else view
        for view in found
    ]


def strong_view(view: StrongView, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Applies a strong view to an image uint8 [H, W, C].

    Views are made for colors. The first three bands are taken as red, green and blue (a single one
    as all three), and further bands stay as they are.

    Raises:
        UserError: if the view returns anything but an image of the same shape.
    """
    bands = image.shape[2]
    if bands == 3:
        return _applied(view, image, rng)
    # OpenCV takes only contiguous images.
    colors = np.ascontiguousarray(image[:, :, np.minimum(range(3), bands - 1)])
    return np.dstack([_applied(view, colors, rng), image[:, :, 3:]])[:, :, :bands]


def _applied(view: StrongView, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    # A view that works in place must leave the weak view as it is.
    made = view(image.copy(), rng)
    if made.shape != image.shape or made.dtype != np.uint8:
        raise UserError(
            f"The strong view {getattr(view, '__qualname__', view)} returned {made.dtype} "
            f"{made.shape}, but the image is uint8 {image.shape}. A strong view must keep shape "
            "and type."
        )
    return made
