"""SBD, the Semantic Boundaries Dataset: masks of VOC's classes for 11,355 images of VOC.

Layout, in `benchmark_RELEASE/dataset` (or `SBD`) beside VOC:

    cls/2008_000002.mat     the masks
    {train,val}.txt         8,498 and 2,857 ids

Source: Hariharan et al., ICCV 2011.
"""

from pathlib import Path

import numpy as np

from fewmask.data.lists.reading import image_id, read_lines
from fewmask.data.matlab_files import read_matlab
from fewmask.data.sources.published_dataset import first_folder, names_in
from fewmask.errors import UserError

SBD_HOME = "the Semantic Boundaries Dataset (benchmark.tgz, www2.eecs.berkeley.edu)"


def find_sbd(root: Path, home: Path) -> Path | None:
    """SBD's folder with img/ and cls/, or None if there is none.

    Args:
        root: the folder that the user names.
        home: VOC's own folder, which holds JPEGImages.
    """
    above = (root, root.parent, home.parent, home.parent.parent)
    places = [base / inner for base in above for inner in ("benchmark_RELEASE/dataset", "SBD")]
    return first_folder(places, "cls")


def sbd_ids(sbd: Path) -> set[str]:
    """The ids that SBD has masks of.

    Raises:
        UserError: if a mask on SBD's own lists is missing.
    """
    found = stems(sbd / "cls", ".mat")
    listed = {
        image_id(line)
        for split in ("train", "val")
        if (sbd / f"{split}.txt").is_file()
        for line in read_lines(sbd / f"{split}.txt")
    }
    missing = sorted(listed - found)
    if missing:
        raise UserError(
            f"{len(missing)} SBD mask(s) are missing (first: {sbd / 'cls' / missing[0]}.mat). They "
            f"are part of {SBD_HOME}. Unpack it again."
        )
    return found | listed


def stems(folder: Path, suffix: str) -> set[str]:
    """The names of the files with a suffix in a folder, without the suffix."""
    return {n.removesuffix(suffix) for n in names_in(folder) if n.endswith(suffix)}


def read_sbd(file: Path) -> np.ndarray:
    """The class mask of an SBD file, uint8 [H, W].

    Raises:
        UserError: if SciPy is missing, or the file is missing, damaged or not of SBD.
    """
    try:
        content = read_matlab(file)["GTcls"]["Segmentation"]
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"The SBD file {file} is missing. It is part of {SBD_HOME}.") from None
    except Exception as error:  # SciPy raises a dozen kinds for a damaged file
        raise UserError(
            f"Cannot read the SBD mask {file}: {error}. Unpack it again from {SBD_HOME}."
        ) from None
    mask = np.asarray(content)
    if mask.ndim != 2 or not np.isin(mask, [*range(21), 255]).all():
        raise UserError(
            f"The SBD mask {file} holds values outside 0..20. Unpack it again from {SBD_HOME}."
        )
    return mask.astype(np.uint8)
