"""How a network is scored: the published protocols by name, and a protocol of your own."""

from typing import Any

from pydantic import model_validator

from fewmask.errors import did_you_mean
from fewmask.evaluation.inference import InferenceConfig
from fewmask.evaluation.metrics import AbsentClass

_PLAIN: dict[str, Any] = {
    "at_border": "cut",
    "average": "probs",
    "pad_to": None,
    "scales": (1.0,),
    "flip": False,
}
_U2PL = {"window": 769, "stride": 513, "at_border": "shift", "average": "logits"}
PROTOCOLS: dict[str, dict[str, Any]] = {
    "voc": {**_PLAIN, "mode": "whole"},
    "voc_pseudoseg": {**_PLAIN, "mode": "whole", "pad_to": 513},
    "cityscapes": {**_PLAIN, "mode": "sliding", **_U2PL},
    "cityscapes_imas": {**_PLAIN, "mode": "sliding", "window": 769, "stride": 512},
    "coco": {**_PLAIN, "mode": "whole"},
    "coco_pseudoseg": {**_PLAIN, "mode": "whole", "pad_to": 641},
    "training_crop": {**_PLAIN, "mode": "center_crop"},
}
"""The options that each published protocol fixes.

VOC and COCO score whole images at their own size; PseudoSeg pads them first. Cityscapes is scored
by windows of 769 pixels: U2PL, PCR and GTA-Seg place them in one way, iMAS in another. The U2PL
family scores only the center of an image while it trains (`training_crop`).
"""


class EvaluationConfig(InferenceConfig):
    """How a network is scored."""

    protocol: str | None = None
    """A published protocol by name: voc, voc_pseudoseg, cityscapes, cityscapes_imas, coco,
    coco_pseudoseg or training_crop. It sets the options that follow."""
    absent_class: AbsentClass = "leave_out"
    """What happens to a class that is in neither truth nor prediction: `leave_out` leaves it out of
    the mean, `zero` counts its IoU as 0."""

    @model_validator(mode="before")
    @classmethod
    def _follow_protocol(cls, values: Any) -> Any:
        """Fills in the options of the protocol; refuses a setting that contradicts it."""
        name = values.get("protocol") if isinstance(values, dict) else None
        if name is None:
            return values
        if not isinstance(name, str) or name not in PROTOCOLS:
            raise ValueError(f"protocol={name}: unknown. {did_you_mean(str(name), PROTOCOLS)}")
        for key, value in PROTOCOLS[name].items():
            given = values.get(key, value)
            # YAML has lists where the protocol has tuples.
            if (tuple(given) if isinstance(given, list) else given) != value:
                raise ValueError(
                    f"protocol={name} means {key}={value}, but {key}={values[key]} was given. To "
                    "use your own settings, set protocol=null"
                )
        return {**PROTOCOLS[name], **values}

    def in_words(self) -> str:
        """How the scores were computed, to be printed with every score."""
        if self.mode == "center_crop":
            return f"center crops of {self.window} pixels, not comparable"
        words = "whole images" + (f" padded to {self.pad_to}" if self.pad_to else "")
        if self.mode == "sliding":
            words = (
                f"sliding windows of {self.window} pixels every {self.stride}, {self.at_border} at "
                f"the border, {self.average} averaged"
            )
        scales = f", scales {list(self.scales)}" if self.scales != (1.0,) else ""
        absent = ", absent classes count 0" if self.absent_class == "zero" else ""
        return words + scales + (", flip" if self.flip else "") + absent
