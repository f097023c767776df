"""Asks for the optional packages of export before they are imported."""

from importlib.util import find_spec

from fewmask.errors import UserError


def require_onnx(*packages: str) -> None:
    """Makes sure that packages of the extra `onnx` are installed.

    Raises:
        UserError: for the first one that is not, with the command that installs it.
    """
    for package in packages:
        if find_spec(package) is None:
            raise UserError(
                f"ONNX needs the package '{package}', which is not installed. Install it: pip "
                'install "fewmask[onnx]"'
            )
