"""One run of a gradient reference on a task of a round, and its place on the board."""

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
"""How such scores are marked, wherever they show."""

_EVAL_ROWS = 64


@dataclass(frozen=True, slots=True)
class ReferenceRun:
    """A run's outcome.

    Attributes:
        method: the reference's name.
        task: of the round.
        kshot_seed: one of the task's.
        score: 0-100 on all test rows.
        public_score: 0-100 on the public ones.
        predictions: int64 (B,) of the test rows in canonical order.
        trained: what training came to; its last stage, where there are several.
        wall_s: seconds in all.
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
    """Tune on a task's few-shot set with gradients, and score the test rows.

    Args:
        arena: the loaded round.
        method: a packaged reference.
        task: of the round.
        kshot_seed: one of the task's.
        params: in place of the method's own.

    Raises:
        UsageError: the task has no such seed, a package is missing, or the model is no masked one.
    """
    started = time.perf_counter()
    head_of(arena.backbone.model)  # refuses a model of another kind before anything trains
    loaded = arena.task(task)
    if kshot_seed not in loaded.data.kshot:
        raise UsageError(f"task {task!r} has no k-shot seed {kshot_seed}; it has {sorted(loaded.data.kshot)}")
    seed = solver_seed(arena.config.digest(), task, kshot_seed)
    # Adapters and prompts are drawn when they are made.
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
    """Show a reference's scores on the public rows on a round's board, rounded to 0.1 and unranked.

    Args:
        store: the sealed store.
        publisher: of the same arena.
        round_name: a stored round.
        runs: of one method, all tasks of the round.
        name: of the method, and how it was trained where that was not as its file says. The same name again
            takes its own place.

    Raises:
        UsageError: no such round.
        InfrastructureError: a task is missing.
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
