"""A black box in this process, over the engine: the solver contract without sandbox and journal."""

import numpy as np
import small_models

from harness.api import Base, BudgetExhausted, ModelInfo, Response, Split, Task, Wording
from harness.api.outputs import OUTPUTS
from harness.engine import Engine, NumericProfile, encode
from harness.metering.call import call_cost

TEMPLATE = "{p} . {text} . It was [M] ."
WORDS = ("bad", "great")


class LocalBlackBox:
    """Counts calls and keeps every query that a solver sent, with its response."""

    def __init__(self, backbone, task, *, n_prompt_tokens, max_calls):
        self.backbone = backbone
        self.engine = Engine(backbone, NumericProfile(), n_prompt_tokens)
        self.task = task
        self.calls_left = max_calls
        self.n_prompt_tokens = n_prompt_tokens
        info = self.engine.info
        self.info = ModelInfo(
            info.family, info.n_layers, info.hidden_size, n_prompt_tokens, info.embedding_std, max_calls,
            tuple(OUTPUTS),
        )  # fmt: skip
        self.bases, self.wordings, self.asked, self.checkpoints = (
            [],
            [self.compile(task.template, task.words)],
            [],
            [],
        )

    def compile(self, template, words, **options):
        n_fields = len(self.task.train.texts[0])
        return small_models.compile_wording(
            self.backbone, template, words, n_fields=n_fields, n_prompt_tokens=self.n_prompt_tokens, **options
        )

    def encoded(self, split, wording=0):
        return encode(self.backbone, self.wordings[wording], getattr(self.task, split).texts)

    def place(self, prompt):
        self.bases.append(np.array(prompt))
        return Base(len(self.bases) - 1)

    def wording(self, template, words, **options):
        self.wordings.append(self.compile(template, words, **options))
        return Wording(len(self.wordings) - 1)

    def checkpoint(self, solution):
        self.checkpoints.append((self.info.max_calls - self.calls_left, solution))

    def query(
        self, values, *, layer=None, base=None, split="train", rows=None, wording=None, outputs=("logits",)
    ) -> Response:
        n_rows = len(getattr(self.task, split)) if rows is None else len(rows)
        cost = call_cost(len(values), n_rows, len(self.task.train))
        if cost > self.calls_left:
            raise BudgetExhausted(f"{cost} calls asked, {self.calls_left} left")
        self.calls_left -= cost
        held = None if base is None else self.bases[base.id]
        response = self.engine.evaluate(
            self.encoded(split, 0 if wording is None else wording.id),
            np.asarray(values, np.float32),
            layer=layer,
            base=held,
            rows=None if rows is None else np.asarray(rows),
            outputs=tuple(outputs),
        )
        self.asked.append(
            {
                "values": np.array(values),
                "layer": layer,
                "base": held,
                "split": split,
                "wording": None if wording is None else wording.id,
                "outputs": tuple(outputs),
                "response": response,
            }
        )
        return response


def make_task(texts, *, words=WORDS, template=TEMPLATE, solver_seed=7):
    """A task whose first half of texts is train and whose second half is dev; labels in turn."""
    half = len(texts) // 2
    labels = np.arange(half) % len(words)
    return Task(
        "made", "accuracy", words, template, words, 8, solver_seed,
        Split(tuple(texts[:half]), labels), Split(tuple(texts[half:]), labels),
    )  # fmt: skip
