"""From an encoder's stages to class logits; `decoder.py` is the contract."""

SMP = (
    "Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "UPerNet", "Segformer", "PAN", "PSPNet",
    "DeepLabV3", "DeepLabV3Plus",
)  # fmt: skip
"""The decoders of segmentation_models_pytorch that read maps alone, by the names of its models."""

DECODERS = {
    "deeplabv3plus": "fewmask.models.decoders.deeplabv3plus:DeepLabV3Plus",
    "dpt": "fewmask.models.decoders.dpt:DPT",
    "linear": "fewmask.models.decoders.linear:Linear",
    "segformer": "fewmask.models.decoders.segformer:SegFormer",
    **{f"smp:{name}": "fewmask.models.decoders.smp:SMPDecoder" for name in SMP},
}
"""Built-in name to import path; your own decoder is given as package.module:Class."""
