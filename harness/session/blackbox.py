"""The harness's side of the black box: checks, charges, computes and traces every query.

One object serves one attempt. The order within a query is the contract: everything that can be
wrong with it is found first (nothing charged), then it is charged and journalled, then computed.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.api import ModelInfo, Response, Solution, Split
from harness.api.losses import cross_entropy
from harness.engine import CheckedQuery, check_prompt
from harness.errors import InfrastructureError, InvalidQuery
from harness.metering import Meter
from harness.records import MAX_ABS_VALUE, FloatArray, QueryRequest, WordingRequest
from harness.session.handles import OFFICIAL_WORDING, Bases, Wordings
from harness.session.incumbents import Checkpoint, Incumbents
from harness.session.loaded_round import LoadedRound, LoadedTask
from harness.session.rotation import Rotation
from harness.session.trace import TraceEntry, request_digest, response_digest

__all__ = ["AttemptProgress", "MeteredBlackBox"]


@dataclass(frozen=True, slots=True)
class AttemptProgress:
    """How far an attempt is.

    Attributes:
        calls: charged so far.
        max_calls: the budget.
        best_train_loss: smallest cross-entropy seen on the whole train split, or None.
    """

    calls: int
    max_calls: int
    best_train_loss: float | None


@dataclass(frozen=True, slots=True)
class _Computed:
    """A query that was computed and is not written down yet."""

    request: QueryRequest
    handle_digests: list[str]
    query: CheckedQuery
    response: Response
    engine_s: float
    is_finite: bool


class MeteredBlackBox:
    """Implements `harness.sandbox.BlackBoxService` for one attempt."""

    def __init__(
        self,
        loaded_round: LoadedRound,
        task: LoadedTask,
        splits: dict[str, Split],
        meter: Meter,
        observer: Callable[[AttemptProgress], None] | None = None,
        rotation: Rotation | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Serve one attempt.

        Args:
            loaded_round: the round's model and rules.
            task: the task.
            splits: "train" and "dev", the only rows that queries can reach.
            meter: the attempt's meter.
            observer: told after each query, or None.
            rotation: between the solver's basis and the model's; None means that they are the same.
            stop: set by another thread when nobody wants the result any more; nothing is computed then.
        """
        self._stop = stop
        self._rotation = rotation
        self._round = loaded_round
        self._task = task
        self._splits = splits
        self._meter = meter
        self._observer = observer
        self._info = loaded_round.model_info(task.config)
        self._bases = Bases(loaded_round.config.limits.max_bases)
        self.wordings = Wordings(loaded_round, task, splits)
        self._best_loss: float | None = None
        self._computed: _Computed | None = None
        self.attempt = object()
        """What the engine knows the attempt by."""
        self.trace: list[TraceEntry] = []
        self.train_losses: list[tuple[int, float]] = []
        self.incumbents = Incumbents(task.config.budget_calls, loaded_round.config.limits.state_bytes)

    @property
    def info(self) -> ModelInfo:
        """What the solver may know of the model."""
        return self._info

    @property
    def calls_left(self) -> int:
        """Calls that may still be charged."""
        return self._meter.calls_left

    @property
    def calls_charged(self) -> int:
        """Calls charged so far."""
        return self._meter.calls

    def place(self, prompt: FloatArray) -> int:
        """Keep a deep prompt; the oldest of `limits.max_bases` is dropped for a newer one.

        Raises:
            InvalidQuery: wrong shape or values.
        """
        info = self._info
        check_prompt(
            prompt,
            n_layers=info.n_layers,
            n_prompt_tokens=info.n_prompt_tokens,
            hidden_size=info.hidden_size,
        )
        return self._bases.add(prompt, self.to_model(np.array(prompt, dtype=np.float32)))

    def wording(self, request: WordingRequest) -> int:
        """Keep another wording.

        Raises:
            InvalidQuery: it cannot be used, or `limits.max_wordings` are held.
        """
        return self.wordings.add(request)

    def query(self, request: QueryRequest) -> Response:
        """Check, charge, compute and trace a query.

        Raises:
            InvalidQuery: malformed; nothing was charged. The exception is an overflow of the model's arithmetic,
                found only by computing: its calls stay charged, and the message says so.
            BudgetExhausted: it would pass the budget; nothing was charged.
            InfrastructureError: the attempt was stopped.
        """
        self._refuse_if_stopped()
        query = self._resolve(request)
        cost = self._meter.reserve(len(request.values), len(query.rows))
        response, engine_s = self._round.evaluate(self.attempt, query, split=request.split)
        response = self.to_solver(response)
        is_finite = _is_finite(response)
        self._computed = _Computed(
            request, self._handle_digests(request), query, response, engine_s, is_finite
        )
        if not is_finite:
            # Its prompts broke the model's arithmetic: never an error of ours.
            raise InvalidQuery(
                "the prompts made the model's arithmetic overflow (outputs are not finite); scale them down. "
                f"It was computed, so its {cost} calls stay charged"
            )
        return response

    def answered(self) -> None:
        """Write down the query that was computed last: nothing that its solver has to wait for."""
        if self._computed is None:
            return
        done, self._computed = self._computed, None
        self._meter.settle(done.query.n_tokens, done.engine_s)
        asked = request_digest(done.request, done.handle_digests)
        self.trace.append(TraceEntry(self._meter.calls, asked, response_digest(done.response)))
        if done.is_finite:
            self._note_loss(done)
        if self._observer is not None:
            # An overflowing query too: its calls are charged.
            self._observer(AttemptProgress(self._meter.calls, self._info.max_calls, self._best_loss))

    def to_model(self, prompts: FloatArray) -> FloatArray:
        """Return prompts (..., D), checked before, in the model's basis.

        Raises:
            InvalidQuery: turned, they pass the bound on values.
        """
        if self._rotation is None:
            return prompts
        turned = self._rotation.to_model(prompts)
        if np.abs(turned).max(initial=0.0) > MAX_ABS_VALUE:
            raise InvalidQuery(
                f"in the secret basis of this round a value passes {MAX_ABS_VALUE:g}; scale the prompts down"
            )
        return turned

    def to_solver(self, response: Response) -> Response:
        """Return the model's outputs in the solver's basis."""
        return response if self._rotation is None else self._rotation.to_solver(response)

    def _handle_digests(self, request: QueryRequest) -> list[str]:
        found = [] if request.base is None else [self._bases[request.base].digest]
        return (
            found if request.wording == OFFICIAL_WORDING else [*found, self.wordings.digest(request.wording)]
        )

    def _refuse_if_stopped(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise InfrastructureError("the attempt was stopped: its result is not wanted any more")

    def note_test(self, examples: int) -> None:
        """Record work of the test phase; it is never charged.

        Raises:
            InfrastructureError: the attempt was stopped.
        """
        self._refuse_if_stopped()
        self._meter.note_test(examples)

    def checkpoint(self, solution: Solution) -> None:
        """Keep the incumbent: the newest one, and one per stretch of the budget.

        Raises:
            InvalidQuery: the solution's wordings or values cannot be used.
        """
        self.check_solution(solution)
        self.incumbents.name(Checkpoint(self._meter.calls, solution))

    def check_solution(self, solution: Solution) -> None:
        """Check what depends on this attempt: handles, values, and what the wordings can answer.

        Raises:
            InvalidQuery: naming the member and what was expected.
        """
        handles = [wording.id for wording in solution.wordings] or [OFFICIAL_WORDING] * len(solution.prompts)
        if len(handles) != len(solution.prompts):
            raise InvalidQuery(
                f"solution: {len(handles)} wordings for {len(solution.prompts)} prompts; expected one per member"
            )
        self._refuse_outputs(solution.outputs)
        for member, handle in enumerate(handles):
            encoded = self.wordings.encoded(handle, "train")
            self._round.engine.check(
                encoded,
                solution.prompts[member : member + 1],
                rows=np.zeros(1, np.int64),
                outputs=solution.outputs,
            )

    def _resolve(self, request: QueryRequest) -> CheckedQuery:
        """Turn handles into arrays, and the solver's basis into the model's, refusing what is wrong."""
        if request.split not in self._splits:
            raise InvalidQuery(f"split {request.split!r}; expected one of {', '.join(sorted(self._splits))}")
        self._refuse_outputs(request.outputs)
        base = None if request.base is None else self._bases[request.base].values
        encoded = self.wordings.encoded(request.wording, request.split)
        rows = None if request.rows is None else np.asarray(request.rows, dtype=np.int64)
        query = self._round.engine.check(
            encoded, request.values, layer=request.layer, base=base, rows=rows, outputs=request.outputs
        )
        return query if self._rotation is None else query.with_values(self.to_model(request.values))

    def _refuse_outputs(self, outputs: tuple[str, ...]) -> None:
        forbidden = [name for name in outputs if name not in self._round.config.outputs.allowed]
        if forbidden:
            raise InvalidQuery(
                f"output {forbidden[0]!r} is not available in this round; it has "
                f"{', '.join(self._round.config.outputs.allowed)}"
            )

    def _note_loss(self, done: _Computed) -> None:
        """Keep the train-loss curve: what the progress bar and the public curve show."""
        logits, rows = done.response.logits, done.query.rows
        if logits is not None and done.request.split == "train" and len(rows) == len(self._splits["train"]):
            loss = float(cross_entropy(logits, self._splits["train"].labels[rows]).min())
            if self._best_loss is None or loss < self._best_loss:
                self._best_loss = loss
                self.train_losses.append((self._meter.calls, loss))


def _is_finite(response: Response) -> bool:
    outputs = (response.logits, response.features, response.layer_std, response.word_logits)
    return all(np.isfinite(values).all() for values in outputs if values is not None)
