"""What a file of weights says about itself, looked at before it is believed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from fewmask.batch import IGNORE
from fewmask.config import BaseConfig, ascending, validate
from fewmask.data import Classes
from fewmask.errors import UserError

Level = Annotated[int, Field(ge=0, le=255)]
Color = tuple[Level, Level, Level]
Value = Annotated[int, Field(ge=0, lt=2**16)]
Side = Annotated[int, Field(ge=1, le=2**16)]


class Facts(BaseConfig):
    """What prediction needs beside the network. Other keys of a file do not matter here."""

    model_config = ConfigDict(extra="ignore")

    model: dict[str, Any] = {}
    """Settings of the network; an ONNX file holds the network itself."""
    evaluation: dict[str, Any] = {}
    """How the network is used on whole images."""
    class_names: tuple[str, ...] = Field(min_length=1, max_length=IGNORE)
    """One name per class."""
    class_colors: tuple[Color, ...]
    """RGB of each class."""
    class_values: tuple[Value, ...] | None = None
    """What stands for each class in the user's masks; 0..K-1 in early files, which do not say."""
    no_label: tuple[Value | None, Color] | None = None
    """The value that means "no label" there, if any does, and its color."""
    long_side: Side | None
    """Images are resized to this longer side first."""
    crop: Side | None = None
    """Of training, in pixels."""
    range: tuple[float, float] | None = None
    """The values that became 0 and 255, for images of more than 8 bits."""

    @field_validator("class_colors", "class_values")
    @classmethod
    def _one_for_each_class(cls, found: Any, info: ValidationInfo) -> Any:
        names = info.data.get("class_names", found)
        if found is not None and len(found) != len(names):
            raise ValueError(f"{len(found)} of them for {len(names)} classes")
        return found

    @field_validator("range")
    @classmethod
    def _ascends(cls, found: tuple[float, float] | None) -> tuple[float, float] | None:
        return None if found is None else ascending(found)

    @property
    def classes(self) -> Classes:
        """The classes of the network."""
        no_label = () if self.no_label is None else self.no_label
        return Classes(self.class_names, self.class_colors, self.class_values, *no_label)


def read_facts(found: Mapping[str, Any], file: Path) -> Facts:
    """The facts among what a file holds.

    Args:
        found: in the file.
        file: for the message.

    Raises:
        UserError: if one is missing, or cannot be true.
    """
    try:
        return validate(Facts, {key: found[key] for key in Facts.model_fields if key in found})
    except UserError as error:
        raise UserError(
            f"{file} is damaged, or was not written by fewmask. {error} Restore it, or train again."
        ) from None
