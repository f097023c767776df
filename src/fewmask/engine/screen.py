"""What work shows while it goes on: in a terminal bars, elsewhere a line now and then."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from fewmask.engine.pace import Pace

SILENCE = 30.0
"""Seconds after which a line says how far work has come, where there is no bar."""

T = TypeVar("T")


class Screen:
    """Prints lines, and shows how far work has come. In a terminal, bars stand below the lines.

    Args:
        tell: receives the lines on progress; None: they are printed.

    Example:
        with Screen() as screen:
            for image in screen.track("ranking image", images):
                assess(image)
    """

    def __init__(self, tell: Callable[[str], None] | None = None):
        self.console = Console(highlight=False)
        self.tell = tell or self.text
        self.bars: Progress | None = None
        self.last_line = time.perf_counter()

    def open(self) -> None:
        """Makes room for bars, if this is a terminal."""
        if self.console.is_terminal:
            number = TextColumn("{task.description} {task.completed}/{task.total}", markup=False)
            columns = (number, BarColumn(20), _WordsColumn())
            self.bars = Progress(*columns, console=self.console, transient=True)

    def close(self) -> None:
        """Removes the bars."""
        if self.bars is not None:
            self.bars.stop()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def text(self, line: str) -> None:
        """Prints a line."""
        # Names of files may hold brackets, which rich would read as markup.
        self.console.print(line, markup=False, soft_wrap=True)
        self.last_line = time.perf_counter()

    def track(self, what: str, items: Sequence[T]) -> Iterator[T]:
        """Passes items on, and shows how many of them are done.

        Args:
            what: the words before the number, such as `ranking image`.
            items: one is done when the next is asked for.
        """
        activity = Activity(self, what, Pace(len(items)))
        try:
            for done, item in enumerate(items, 1):
                yield item
                activity.reach(done)
        finally:
            activity.end()


class Activity:
    """Work with a known end, as a screen shows it.

    Args:
        screen: open.
        what: the words before the number of what is done.
        pace: of the work.
        at_once: whether the first line comes with the first item, and not after a silence.
    """

    def __init__(self, screen: Screen, what: str, pace: Pace, at_once: bool = False):
        self.screen, self.what, self.pace, self.at_once = screen, what, pace, at_once
        self.bars = screen.bars
        if self.bars is not None:
            total, done = pace.total, pace.done
            self.bar = self.bars.add_task(what, total=total, completed=done, pace=pace, info="")
            self.bars.start()

    def reach(self, done: int) -> None:
        """Moves the bar. Without one, prints a line if there was none for a while."""
        self.pace.reach(done)
        silence = time.perf_counter() - self.screen.last_line
        if self.bars is not None:
            self.bars.update(self.bar, completed=done)
        elif self.at_once or silence >= SILENCE:
            self._say(self.pace.in_words())

    def report(self, done: int, info: str) -> None:
        """Shows more than the number: beside the bar, or in a line."""
        self.pace.reach(done)
        # With a bar, such lines would push everything else off the screen.
        if self.bars is not None:
            self.bars.update(self.bar, completed=done, info=info)
        else:
            self._say(f"{info}  {self.pace.in_words()}")

    def end(self) -> None:
        """Removes the bar."""
        if self.bars is not None:
            self.bars.remove_task(self.bar)

    def _say(self, words: str) -> None:
        self.screen.tell(f"{self.what} {self.pace.done}/{self.pace.total}  {words}")
        self.screen.last_line, self.at_once = time.perf_counter(), False


class _WordsColumn(ProgressColumn):
    """Elapsed time, which moves during a long step too, time left, and what was reported.

    One column for all of it: where a line is too long, its end is cut off, and not the time.
    """

    def render(self, task: Task) -> Text:
        """The words beside a bar."""
        words = f"{task.fields['pace'].in_words()}  {task.fields['info']}"
        return Text(words, no_wrap=True, overflow="ellipsis")
