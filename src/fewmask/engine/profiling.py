"""`train --profile`: what a step spends its time on, as a table and as a trace."""

from contextlib import ExitStack, nullcontext
from typing import Any

from torch import nn
from torch.profiler import ProfilerActivity, profile, schedule

from fewmask import atomic
from fewmask.engine.stopwatch import Stopwatch
from fewmask.parts.spans import PREFIX, span
from fewmask.run_folder.paths import RunPaths

WARM_UP, STEPS = 2, 10
"""The first steps are slower than the others and are left out; the next ones are measured."""
SPANS = ("data", "forward", "losses", "backward", "optimizer", "EMA", "logging")


class Profile:
    """Measures some steps of a run; a context around its loop.

    Args:
        networks: their calls during steps count as `forward`.
        clock: knows whether a step is in progress.
        paths: of the run folder, which gets `profile.txt` and `profile_trace.json`.
        is_cuda: whether to measure a GPU too.
    """

    def __init__(self, networks: list[nn.Module], clock: Stopwatch, paths: RunPaths, is_cuda: bool):
        self.networks, self.clock, self.paths, self.is_cuda = networks, clock, paths, is_cuda
        self.stack, self.open = ExitStack(), list[Any]()
        activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * is_cuda
        self.profiler = profile(
            activities=activities,
            schedule=schedule(wait=0, warmup=WARM_UP, active=STEPS, repeat=1),
            on_trace_ready=self._write,
        )
        self.steps = 0

    def __enter__(self) -> "Profile":
        parts = [part for network in self.networks for part in (network, *network.children())]
        for network in parts:
            self.stack.callback(network.register_forward_pre_hook(self._enter).remove)
            self.stack.callback(network.register_forward_hook(self._leave).remove)
        self.stack.enter_context(self.profiler)
        return self

    def __exit__(self, *exception: Any) -> None:
        self.stack.__exit__(*exception)

    def step(self) -> None:
        """Counts a step; call it after each one."""
        self.steps += 1
        self.profiler.step()

    def _enter(self, network: nn.Module, inputs: Any) -> None:
        # An evaluation calls the networks, too, and a network calls its parts.
        is_counted = self.clock.current == "steps" and not self.open
        self.open.append(span("forward") if is_counted else nullcontext())
        self.open[-1].__enter__()

    def _leave(self, network: nn.Module, inputs: Any, output: Any) -> None:
        self.open.pop().__exit__(None, None, None)

    def _write(self, profiler: Any) -> None:
        seen = min(STEPS, self.steps - WARM_UP)
        if seen < 1:
            # The run was over before there was anything to measure.
            return
        profiler.export_chrome_trace(str(self.paths.profile_trace))
        text = _table(profiler.key_averages(), seen, self.is_cuda)
        atomic.write_text(self.paths.profile, text)


def _table(rows: Any, steps: int, is_cuda: bool) -> str:
    """Milliseconds per step by span, and the operators that take most of the time."""
    total = {r.key.removeprefix(PREFIX): r for r in rows if r.key.startswith(PREFIX)}

    def ms(name: str) -> float:
        row = total.get(name)
        if row is None:
            return 0.0
        on_device = row.device_time_total if is_cuda else 0.0
        return float(max(row.cpu_time_total, on_device)) / 1000 / steps

    spent = {name: ms(name) for name in SPANS}
    inside = sum(value for name, value in spent.items() if name not in ("data", "losses"))
    spent["losses"] = max(0.0, ms("steps") - inside)
    whole = max(1e-9, sum(spent.values()))
    lines = [f"milliseconds per step, mean of {steps} steps"]
    lines += [f"{name:>10} {value:9.2f}  {value / whole:6.1%}" for name, value in spent.items()]
    lines += ["'losses' is the rest of a step: pseudo-labels, mixing, losses."]
    for name in ("evaluation", "saving"):
        if name in total:
            lines.append(f"{name}: {ms(name) * steps / total[name].count:.1f} ms each")
    by = "self_device_time_total" if is_cuda else "self_cpu_time_total"
    table: str = rows.table(sort_by=by, row_limit=20, max_name_column_width=45)
    return "\n".join(lines) + "\n\n" + table + "\n"
