"""One writer for a run folder at a time. The kernel ends its claim when the process dies."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from fewmask import atomic
from fewmask.data.own_files import require_no_link
from fewmask.errors import UserError
from fewmask.run_folder.paths import RunPaths

LONGEST = 400
"""Characters of a name that are shown."""

_held: set[int] = set()
"""Descriptors of the locked files of this process."""


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """A context in which no other process writes to a run folder, or to a folder of such runs.

    Args:
        folder: to write to. It must exist.

    Raises:
        UserError: if another process writes to it; the message names the process. Or if the
            file that is locked is a link.
    """
    file = RunPaths(folder).writer
    require_no_link(file)
    atomic.unshare(file)
    lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _is_locked_now(lock):
            raise UserError(
                f"{folder} is being written by another process: {_name(file)}. Wait until it has "
                "ended, or stop it first."
            )
        _held.add(lock)
        os.ftruncate(lock, 0)
        os.write(lock, _own_name().encode(errors="replace"))
        yield
    finally:
        _held.discard(lock)
        os.close(lock)


def _is_locked_now(lock: int) -> bool:
    """Locks a file, unless another has locked it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            # Far behind the name, as nobody else can read a locked byte on Windows.
            os.lseek(lock, 1 << 20, os.SEEK_SET)
            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
            os.lseek(lock, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks must not prevent training
        return True
    return True


def _own_name() -> str:
    program = Path(sys.argv[0])
    name = program.parent.name if program.stem == "__main__" else program.name  # python -m
    command = " ".join([name, *sys.argv[1:]])
    since = datetime.now().strftime("%Y-%m-%d %H:%M")
    return f"{os.getpid()} on {socket.gethostname()} since {since} ({command[:200]})"


def _name(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(LONGEST) or "it has just begun"
    except OSError:
        return "it cannot be read which"


def _let_go() -> None:
    """In a forked process, which may outlive the writer: it must not keep the lock."""
    for lock in _held:
        os.close(lock)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
