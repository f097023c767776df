"""What a run shows while it trains: lines, and a progress bar in a terminal."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Screen:
    """Prints lines above a progress bar, which exists in a terminal only.

    Args:
        total_steps: the length of the bar.
    """

    def __init__(self, total_steps: int):
        self.total_steps = total_steps
        self.console = Console(highlight=False)
        self.bar: Progress | None = None

    def open(self, first_step: int) -> None:
        """Shows the bar."""
        if not self.console.is_terminal:
            return
        columns = (
            TextColumn("{task.completed}/{task.total}"),
            BarColumn(20),
            TimeRemainingColumn(),
            TextColumn("{task.fields[info]}"),
        )
        self.bar = Progress(*columns, console=self.console, transient=True)
        self.task = self.bar.add_task("", total=self.total_steps, completed=first_step, info="")
        self.bar.start()

    def text(self, line: str) -> None:
        """Prints a line."""
        # Names of files may hold brackets, which rich would read as markup.
        self.console.print(line, markup=False, soft_wrap=True)

    def move_bar(self, step: int, info: str) -> bool:
        """Moves the bar; False if there is none."""
        if self.bar is not None:
            self.bar.update(self.task, completed=step, info=info)
        return self.bar is not None

    def close(self) -> None:
        """Removes the bar."""
        if self.bar is not None:
            self.bar.stop()
