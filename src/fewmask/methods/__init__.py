"""One paper = one file = one class; `method.py` is the contract."""

from fewmask.methods.method import Method, Minimize

__all__ = ["AUTO", "BEST", "METHODS", "Method", "Minimize", "title_of"]

METHODS = {
    "supervised": "fewmask.methods.supervised:Supervised",
    "mean_teacher": "fewmask.methods.mean_teacher:MeanTeacher",
    "fixmatch": "fewmask.methods.fixmatch:FixMatch",
    "fewmatch": "fewmask.methods.fewmatch:FewMatch",
    "imas": "fewmask.methods.imas:IMAS",
    "pcr": "fewmask.methods.pcr:PCR",
    "gta": "fewmask.methods.gta:GTA",
    "pseudoseg": "fewmask.methods.pseudoseg:PseudoSeg",
    "unimatch": "fewmask.methods.unimatch:UniMatch",
    "unimatch_v2": "fewmask.methods.unimatch_v2:UniMatchV2",
    "cps": "fewmask.methods.cps:CPS",
    "augseg": "fewmask.methods.augseg:AugSeg",
}
"""Built-in name to import path; your own method is given as package.module:Class."""

AUTO, BEST = "auto", "fewmatch"
"""The word for the method that is best in our measurements, and its name."""

TITLES = {
    "supervised": "supervised",
    "mean_teacher": "Mean Teacher",
    "fixmatch": "FixMatch",
    "fewmatch": "FewMatch",
    "imas": "iMAS",
    "pcr": "PCR",
    "gta": "GTA-Seg",
    "pseudoseg": "PseudoSeg",
    "unimatch": "UniMatch",
    "unimatch_v2": "UniMatch V2",
    "cps": "CPS",
    "augseg": "AugSeg",
}
"""Built-in name to the name in its paper, for tables and sentences."""


def title_of(name: str) -> str:
    """How a method is called in tables and sentences; your own method by its class."""
    return TITLES.get(name, name.rpartition(":")[2])
