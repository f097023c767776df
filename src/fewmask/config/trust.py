"""Which names in files are followed: a stranger's file runs no code and leads to no other place.

What the user types counts, and so does a file that this user's fewmask wrote on this machine.
"""

import contextlib
import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fewmask.atomic import read_bytes, read_text, write_text
from fewmask.errors import UserError

VARIABLE = "FEWMASK_TRUST"
"""The environment variable with what the user trusts; processes that are started inherit it."""
WORD = r"[^\W\d]\w*"
MODULE = re.compile(rf"{WORD}(\.{WORD})*")
IMPORT_PATH = re.compile(rf"{WORD}(?:\.{WORD})*:{WORD}")
"""What `find` imports; so whatever looks different cannot become code."""
PLAIN = ("names", "class_names")
"""Words of the user, which are never imported."""

_written: dict[str, str] = {}
"""Files of this process: digest to working folder. It serves where no folder can be written."""


def allow(*trusted: str | Path) -> None:
    """Trusts more than what the user typed, in this process and in those that it starts.

    Args:
        trusted: a module (with all that it contains), an import path, a file or a run folder.

    Raises:
        UserError: if one is none of these.

    Example:
        fewmask.config.allow("my_lab", "runs/from_a_friend")
    """
    for one in map(str, trusted):
        if not (MODULE.fullmatch(one) or IMPORT_PATH.fullmatch(one) or Path(one).exists()):
            raise UserError(
                f"--trust {one}: expected a module such as my_lab, or a run folder or file that "
                "exists."
            )
    os.environ[VARIABLE] = ",".join(dict.fromkeys([*_allowed(), *map(str, trusted)]))


def allow_names(values: Mapping[str, Any]) -> None:
    """Trusts the import paths among settings that the user has typed."""
    allow(*names_in(values).values())


def names_in(values: Any, place: str = "") -> dict[str, str]:
    """Every import path in nested settings, by its dotted place.

    Keys count as well: `methods` has options by the name of the method.
    """
    found: dict[str, str] = {}
    for where, text in _texts(values, place):
        if IMPORT_PATH.fullmatch(text):
            # A key such as `encoder.name` may look like the place of another option: both count.
            found[where if found.get(where, text) == text else f"{where} ({text})"] = text
    return found


def _texts(values: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(values, str):
        # segmentation_models_pytorch is no module of this name; decoders refuse any other smp:...
        if not (values.startswith("smp:") and "decoder" in place.split(".")):
            yield place, values
    elif isinstance(values, Mapping):
        for key, value in values.items():
            where = f"{place}.{key}".lstrip(".")
            yield f"{place}: {key}", str(key)  # not where its value is, or one would hide the other
            if key not in PLAIN:
                yield from _texts(value, where.removesuffix(".name"))
    elif isinstance(values, list | tuple):
        for number, value in enumerate(values):
            yield from _texts(value, f"{place}[{number}]")


def require_trusted(
    wanted: Mapping[str, str], file: Path, everything: Mapping[str, str] | None = None
) -> None:
    """Refuses import paths, places and URLs in a file that the user neither typed nor trusts.

    A file that passes because the user trusts it is remembered, as long as it stays as it is.

    Args:
        wanted: option to what it names.
        file: that names it.
        everything: all that the file names, if the user has replaced some of it.

    Raises:
        UserError: that says what the file wanted, and how to allow it.
    """
    if not wanted or _is_own(file, wanted):
        return
    refused = {option: text for option, text in wanted.items() if not _is_allowed(text, file)}
    if refused:
        raise UserError(_refusal(refused, file))
    if all(_is_allowed(text, file) for text in (everything or wanted).values()):
        remember(read_bytes(file))


def require_trusted_checkpoint(settings: Mapping[str, Any], file: Path, recipe: Path) -> None:
    """Refuses import paths in a checkpoint, unless the user trusts them or its run is their own.

    Args:
        settings: of the model in the checkpoint.
        file: the checkpoint.
        recipe: of the run that it lies in, if it lies in one.

    Raises:
        UserError: that says what the file wanted, and how to allow it.
    """
    wanted = names_in(settings, "model")
    if wanted and recipe.is_file() and _is_own(recipe, wanted):
        known = {*IMPORT_PATH.findall(read_text(recipe))}
        wanted = {option: name for option, name in wanted.items() if name not in known}
    require_trusted(wanted, file)


def remember(content: bytes, before: Path | None = None) -> bytes:
    """Notes that this user wrote or trusts a file with this content, and where they work.

    Args:
        content: of the file.
        before: the file that it replaces. If it is known, where they worked then stays noted.

    Returns:
        The content, to be written.
    """
    digest = hashlib.sha256(content).hexdigest()
    here = (_place(before) if before else None) or os.getcwd()
    _written[digest] = here
    keep("own", digest, here)
    return content


def _is_own(file: Path, wanted: Mapping[str, str]) -> bool:
    """Whether this user wrote a file.

    If so, modules that it names are also looked for where they worked then.
    """
    place = _place(file)
    if place is not None and any(map(IMPORT_PATH.fullmatch, wanted.values())):
        _see(place)
    return place is not None


def _place(file: Path) -> str | None:
    """Where this user worked when they wrote or trusted a file; None if they did not."""
    digest = hashlib.sha256(read_bytes(file)).hexdigest()
    return _written.get(digest) or kept("own", digest)


def folder_of(kind: str) -> Path:
    """Where facts about the user's files are kept: not a cache, which others may share."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "fewmask" / kind


def keep(kind: str, digest: str, fact: str) -> None:
    """Keeps a fact about a file, if there is a folder for it. If not, the user is asked again."""
    with contextlib.suppress(OSError, RuntimeError):  # a home that cannot be written, or none
        folder = folder_of(kind)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_text(folder / digest, fact)


def kept(kind: str, digest: str) -> str | None:
    """A fact that was kept about a file; None if there is none."""
    with contextlib.suppress(OSError, RuntimeError, UnicodeDecodeError):
        return (folder_of(kind) / digest).read_text(encoding="utf-8")
    return None


def _allowed() -> list[str]:
    return [one for one in os.environ.get(VARIABLE, "").split(",") if one]


def _is_named(name: str) -> bool:
    """Whether the user named an import path, its module, or a package that it lies in."""
    module = name.partition(":")[0]
    return any(one == name or f"{module}.".startswith(f"{one}.") for one in _allowed())


def _is_allowed(text: str, file: Path) -> bool:
    if IMPORT_PATH.fullmatch(text) and (text.startswith("fewmask.") or _is_named(text)):
        return True
    levels = 1 if file.suffix in (".yaml", ".yml") else 2  # run/recipe.yaml, run/weights/best.pt
    around = {file.resolve(), *list(file.resolve().parents)[:levels]}
    return any(Path(one).resolve() in around for one in _allowed() if Path(one).exists())


def _refusal(refused: Mapping[str, str], file: Path) -> str:
    is_code = {text: bool(IMPORT_PATH.fullmatch(text)) for text in refused.values()}
    listed = ", ".join(
        f"{option}={text}" + (" (runs code)" if is_code[text] else "")
        for option, text in refused.items()
    )
    flags = dict.fromkeys(
        f"--trust {text.partition(':')[0] if is_code[text] else file.parent}"
        for text in refused.values()
    )
    return (
        f"{file} names {listed}. The file may come from a stranger, so fewmask does not follow it "
        f"by itself. If you know what it names, add {' '.join(flags)} to the command (in Python: "
        "fewmask.config.allow), or replace the option by your own."
    )


def require_import_path(name: str, option: str) -> None:
    """Makes sure that a name has the form of an import path, the only one that files are read for.

    Raises:
        UserError: if not.
    """
    if not IMPORT_PATH.fullmatch(name):
        raise UserError(f"{option}={name}: expected package.module:Class, in letters of Python.")


def see_working_folder(name: str) -> None:
    """Lets a module that the user named be found in the folder they work in, after all others."""
    if _is_named(name):
        _see(os.getcwd())


def _see(folder: str) -> None:
    if folder not in sys.path:
        sys.path.append(folder)
