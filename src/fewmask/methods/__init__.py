"""One paper = one file = one class; `method.py` is the contract."""

from fewmask.methods.method import Method, Minimize

__all__ = ["METHODS", "Method", "Minimize"]

METHODS = {
    "supervised": "fewmask.methods.supervised:Supervised",
    "imas": "fewmask.methods.imas:IMAS",
    "pcr": "fewmask.methods.pcr:PCR",
    "gta": "fewmask.methods.gta:GTA",
    "pseudoseg": "fewmask.methods.pseudoseg:PseudoSeg",
}
"""Built-in name to import path; your own method is given as package.module:Class."""
