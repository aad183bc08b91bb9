"""Progress of runs: a bar on a terminal, a line per finished run elsewhere."""

import textwrap
from types import TracebackType
from typing import Self

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from harness.cli.output import console, counted
from harness.session.artifact import Artifact
from harness.session.blackbox import AttemptProgress
from harness.store.public import UNOFFICIAL
from harness.worker.worker import RunEvent

__all__ = ["RunDisplay", "run_line"]

_NOTE_CHARS = 300
"""Most characters of a failure message; `gradfree logs` prints all of it."""


class RunDisplay:
    """Shows the running attempts, with calls used, the best train loss and the time left."""

    def __init__(self, *, is_quiet: bool = False, has_lines: bool = True) -> None:
        """Set up the display.

        Args:
            is_quiet: show nothing, as for `--json`.
            has_lines: print a line per finished run beside the bars; False if they are logged instead.
        """
        self._has_lines = has_lines and not is_quiet
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("calls, train loss {task.fields[loss]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=is_quiet or not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Start drawing."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing."""
        self._progress.stop()

    def on_event(self, event: RunEvent) -> None:
        """Show a worker's event."""
        run = event.run
        if run is None:
            if self._has_lines:
                console.print(escape(event.fault))
            return
        title = f"{run.submission_name} · {run.task} · seed {run.kshot_seed}"
        if event.progress is not None:
            self.on_progress(title, event.progress)
            return
        self._clear(title)
        if not self._has_lines:
            return
        if event.artifact is not None:
            console.print(escape(run_line(title, event.artifact)))
        else:
            console.print(escape(f"{title}: internal error (platform side), attempt void, not charged: {event.fault}"))

    def on_progress(self, title: str, progress: AttemptProgress) -> None:
        """Draw the bar of a running attempt."""
        loss = "-" if progress.best_train_loss is None else f"{progress.best_train_loss:.3f}"
        if title not in self._tasks:
            self._tasks[title] = self._progress.add_task(escape(title), total=progress.max_calls, loss=loss)
        self._progress.update(self._tasks[title], completed=progress.calls, loss=loss)

    def _clear(self, title: str) -> None:
        if title in self._tasks:
            self._progress.remove_task(self._tasks.pop(title))


def run_line(title: str, artifact: Artifact) -> str:
    """Return a line with the result of a run."""
    scored = "" if artifact.scores is None else f", score {artifact.scores.public:.1f}"
    scored += "" if artifact.is_official else f" ({UNOFFICIAL})"
    n_invalid = artifact.usage.invalid_queries
    malformed = f", {counted(n_invalid, 'malformed request')}" if n_invalid else ""
    last_line = artifact.message.splitlines()[-1] if artifact.message else ""
    note = f" ({textwrap.shorten(last_line, _NOTE_CHARS, placeholder=' …')})" if last_line else ""
    return (
        f"{title}: {artifact.verdict.value}{scored}, {artifact.usage.calls} of {artifact.budget_calls} calls"
        f"{malformed}, {artifact.wall_s:.1f} s{note}"
    )
