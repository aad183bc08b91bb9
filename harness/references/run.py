"""Run a gradient reference on a task of a round, and publish its scores."""

import copy
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import torch

from harness.engine import EncodedSplit
from harness.errors import UsageError
from harness.metrics.official import score
from harness.records import IntArray
from harness.references.masked_lm import Adapted, batch_of, head_of
from harness.references.method import ReferenceMethod
from harness.references.training import Trained, class_logits, computing_in, train
from harness.session.loaded_round import LoadedRound
from harness.store.public.publisher import Publisher
from harness.store.sealed.rounds import find_round
from harness.store.sealed.seeds import solver_seed
from harness.store.sealed.store import SealedStore
from harness.store.sealed.uploads import add_upload

__all__ = ["GRADIENT_LABEL", "ReferenceRun", "publish_reference", "run_reference"]

GRADIENT_LABEL = "gradient reference, not ranked"
"""Label of such scores wherever they are shown."""

_EVAL_ROWS = 64


@dataclass(frozen=True, slots=True)
class ReferenceRun:
    """Result of one run.

    Attributes:
        method: name of the gradient reference.
        task: name of the task.
        kshot_seed: a k-shot seed of the task.
        score: 0-100 on all test rows.
        public_score: 0-100 on the public test rows.
        predictions: int64 (B,) of the test rows in canonical order.
        trained: result of training, of the last stage if there are several.
        wall_s: total seconds.
    """

    method: str
    task: str
    kshot_seed: int
    score: float
    public_score: float
    predictions: IntArray
    trained: Trained
    wall_s: float


def run_reference(
    arena: LoadedRound, method: ReferenceMethod, task: str, kshot_seed: int, **params: Any
) -> ReferenceRun:
    """Tune on a task's k-shot set with gradients, and score the test rows.

    Args:
        arena: the loaded round.
        method: a packaged reference.
        task: name of a task of the round.
        kshot_seed: a k-shot seed of the task.
        params: override the method's parameters.

    Raises:
        UsageError: the task has no such seed, a package is missing, or the model is no masked LM.
    """
    started = time.perf_counter()
    head_of(arena.backbone.model)  # raises for an unsupported family before any training
    loaded = arena.task(task)
    if kshot_seed not in loaded.data.kshot:
        raise UsageError(f"Task {task!r}: got k-shot seed {kshot_seed}, expected one of {sorted(loaded.data.kshot)}")
    seed = solver_seed(arena.config.digest(), task, kshot_seed)
    # Seeds the initial values of adapters and prompts.
    torch.manual_seed(seed)
    torch.set_num_threads(arena.profile.threads)
    model = copy.deepcopy(arena.backbone.model).cpu().float().requires_grad_(requires_grad=True)
    adapted = method.build(**params).adapt(model, arena.config.model.n_prompt_tokens)
    splits = [arena.encode(loaded.wording, split) for split in loaded.data.kshot[kshot_seed]]
    start, pad = arena.backbone.family.prompt_start, arena.backbone.specials.pad
    labels = [split.labels for split in loaded.data.kshot[kshot_seed]]
    class_ids, dtype = loaded.wording.class_ids, arena.config.numeric.dtype

    def predict(stage: Adapted, encoded: EncodedSplit) -> IntArray:
        with computing_in(dtype):
            return _predict(stage, encoded, class_ids, start, pad)

    for stage in adapted.stages():
        stage.begin()
        trained = train(
            stage,
            method.training,
            lambda rows: batch_of(splits[0], rows, start, pad),
            labels[0],
            splits[0].lengths,
            lambda tuned: float((predict(tuned, splits[1]) == labels[1]).mean()),
            class_ids,
            seed,
            dtype,
        )
    predictions = predict(adapted, loaded.encoded_test)
    truth, metric, public = loaded.data.test.labels, loaded.config.metric, loaded.is_public
    return ReferenceRun(
        method.name,
        task,
        kshot_seed,
        score(metric, truth, predictions, len(class_ids)),
        score(metric, truth[public], predictions[public], len(class_ids)),
        predictions,
        trained,
        time.perf_counter() - started,
    )


def publish_reference(
    store: SealedStore, publisher: Publisher, round_name: str, runs: Sequence[ReferenceRun], name: str
) -> None:
    """Publish a gradient reference's scores on the public rows, rounded to 0.1 and unranked.

    Args:
        store: the sealed store.
        publisher: publisher of the same arena folder.
        round_name: a stored round.
        runs: runs of one method on all tasks of the round.
        name: name of the method, with changed settings if any. Replaces an entry of the same name.

    Raises:
        UsageError: no such round.
        InfrastructureError: a task has no run.
    """
    tasks = {run.task for run in runs}
    means = {task: fmean(run.public_score for run in runs if run.task == task) for task in tasks}
    digest = hashlib.sha256(f"{GRADIENT_LABEL}\n{name}".encode()).hexdigest()
    with store.write() as tx:
        add_upload(
            tx,
            find_round(tx, round_name),
            name=f"{name} ({GRADIENT_LABEL})",
            digest=digest,
            score=round(fmean(means.values()), 1),
            task_scores={task: round(value, 1) for task, value in means.items()},
        )
    publisher.publish()


@torch.no_grad()
def _predict(
    adapted: Adapted, encoded: EncodedSplit, class_ids: tuple[tuple[int, ...], ...], start: int, pad: int
) -> IntArray:
    """Return class numbers (B,), in batches of similar length."""
    adapted.eval()
    order = np.argsort(encoded.lengths, kind="stable")
    predictions = np.empty(len(encoded), dtype=np.int64)
    for first in range(0, len(order), _EVAL_ROWS):
        rows = order[first : first + _EVAL_ROWS]
        logits = class_logits(adapted(batch_of(encoded, rows, start, pad)), class_ids)
        predictions[rows] = logits.argmax(dim=1).numpy()
    return predictions
