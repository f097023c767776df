"""From an encoder's stages to class logits; `decoder.py` is the contract."""

DECODERS = {
    "deeplabv3plus": "fewmask.models.decoders.deeplabv3plus:DeepLabV3Plus",
}
"""Built-in name to import path; your own decoder is given as package.module:Class."""
