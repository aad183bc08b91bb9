"""Task data: loading through Hugging Face `datasets`, k-shot sampling, public and private rows."""

from harness.tasks.data import TaskData, load_task_data
from harness.tasks.kshot import draw_kshot
from harness.tasks.split import public_rows

__all__ = ["TaskData", "draw_kshot", "load_task_data", "public_rows"]
