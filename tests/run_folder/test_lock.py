"""One process writes to a run folder; a second one is told which."""

import os
import signal
import subprocess
import sys

import pytest

from fewmask.errors import UserError
from fewmask.run_folder.lock import one_writer
from fewmask.run_folder.paths import RunPaths

WAITING = """
import sys, time
from pathlib import Path
from fewmask.run_folder.lock import one_writer
with one_writer(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(600)
"""


def write(folder):
    with one_writer(folder):
        pass


def test_a_second_writer_is_told_of_the_first_one(tmp_path):
    with one_writer(tmp_path):
        with pytest.raises(UserError, match=f"another process: {os.getpid()} on "):
            write(tmp_path)
        # Who is refused does not erase the name.
        assert RunPaths(tmp_path).writer.read_text().startswith(f"{os.getpid()} on ")
    write(tmp_path)


def test_a_kill_ends_the_claim_of_a_process(tmp_path):
    program = [sys.executable, "-c", WAITING, str(tmp_path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "locked\n"
        with pytest.raises(UserError, match=f": {other.pid} on .*Wait until it has ended"):
            write(tmp_path)
        other.kill()
    write(tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_does_not_keep_the_lock(tmp_path):
    ready, says_ready = os.pipe()
    with one_writer(tmp_path):
        child = os.fork()
        if child == 0:
            os.write(says_ready, b"!")
            signal.pause()
        os.read(ready, 1)
    try:
        write(tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
