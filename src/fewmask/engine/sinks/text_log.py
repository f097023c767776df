"""train.log: the lines that a run prints."""

from fewmask import atomic
from fewmask.engine.sinks.sink import Sink
from fewmask.run_folder.paths import RunPaths


class TextLog(Sink):
    """Appends every line; unlike the tables, the log of a resumed run keeps its whole history."""

    def open(self, paths: RunPaths, first_step: int) -> None:
        """Remembers where to write."""
        self.file = paths.log
        atomic.unshare(self.file)

    def text(self, line: str) -> None:
        """Writes a line."""
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
