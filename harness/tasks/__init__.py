"""Task data: loading, k-shot sampling, public and private rows; what each kind of task owns is in `kinds`."""

from harness.tasks.data import TaskData, load_task_data
from harness.tasks.kshot import draw_kshot
from harness.tasks.split import public_rows

__all__ = ["TaskData", "draw_kshot", "load_task_data", "public_rows"]
