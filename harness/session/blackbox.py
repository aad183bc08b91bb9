"""The platform side of the black box: checks, charges, computes and traces every query.

One object serves one attempt. A query is checked completely first (nothing is charged on failure), then
charged and journalled, then computed.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.api import ModelInfo, Response, Solution, Split
from harness.api.losses import cross_entropy
from harness.api.outputs import filled
from harness.engine import CheckedQuery
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
    """Progress of a running attempt.

    Attributes:
        calls: calls charged so far.
        max_calls: the budget.
        best_train_loss: smallest cross-entropy on the whole train split so far, or None.
    """

    calls: int
    max_calls: int
    best_train_loss: float | None


@dataclass(frozen=True, slots=True)
class _Computed:
    """A computed query that is not settled and traced yet."""

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
            observer: called after each query, or None.
            rotation: maps the solver's basis to the model's; None means identity.
            stop: event after which queries raise instead of computing.
        """
        self._stop = stop
        self._rotation = rotation
        self._round = loaded_round
        self._task = task
        self._splits = splits
        self._meter = meter
        self._observer = observer
        self.info: ModelInfo = loaded_round.model_info(task.config)
        """Public description of the model for the solver."""
        self._bases = Bases(loaded_round.config.limits.max_bases)
        self.wordings = Wordings(loaded_round, task, splits)
        self._best_loss: float | None = None
        self._computed: _Computed | None = None
        self.attempt = object()
        """Key of the attempt in the scheduler and the layer cache."""
        self.trace: list[TraceEntry] = []
        self.train_losses: list[tuple[int, float]] = []
        self.incumbents = Incumbents(task.config.budget_calls, loaded_round.config.limits.state_bytes)

    @property
    def calls_left(self) -> int:
        """Calls left in the budget."""
        return self._meter.calls_left

    @property
    def calls_charged(self) -> int:
        """Calls charged so far."""
        return self._meter.calls

    def place(self, prompt: FloatArray) -> int:
        """Store a deep prompt and return its handle; beyond `limits.max_bases` the oldest is dropped.

        Raises:
            InvalidQuery: wrong shape or values.
        """
        self._round.engine.tunable.check_base(prompt)
        return self._bases.add(prompt, self.to_model(np.array(prompt, dtype=np.float32)))

    def wording(self, request: WordingRequest) -> int:
        """Add a wording and return its handle.

        Raises:
            InvalidQuery: the wording is invalid, or the limit `limits.max_wordings` is reached.
        """
        return self.wordings.add(request)

    def query(self, request: QueryRequest) -> Response:
        """Check, charge, compute and trace a query.

        Raises:
            InvalidQuery: malformed; nothing was charged. Exception: non-finite outputs are detected only after
                computing, so those calls stay charged, as the message states.
            BudgetExhausted: the query would exceed the budget; nothing was charged.
            InfrastructureError: the attempt was stopped.
        """
        self._refuse_if_stopped()
        query = self._resolve(request)
        cost = self._meter.reserve(len(request.values), len(query.rows))
        response, engine_s = self._round.evaluate(self.attempt, query, split=request.split)
        response = self.to_solver(response)
        is_finite = _is_finite(response)
        self._computed = _Computed(request, self._handle_digests(request), query, response, engine_s, is_finite)
        if not is_finite:
            # Caused by the prompts of the solver, so not a platform error.
            raise InvalidQuery(
                "the prompts made the model's arithmetic overflow (outputs are not finite); scale them down. "
                f"It was computed, so its {cost} calls stay charged"
            )
        return response

    def answered(self) -> None:
        """Settle and trace the last query, after its response was sent: the solver does not wait for this."""
        if self._computed is None:
            return
        done, self._computed = self._computed, None
        self._meter.settle(done.query.n_tokens, done.engine_s)
        asked = request_digest(done.request, done.handle_digests)
        self.trace.append(TraceEntry(self._meter.calls, asked, response_digest(done.response)))
        if done.is_finite:
            self._note_loss(done)
        if self._observer is not None:
            # Also for a non-finite response: its calls are charged.
            self._observer(AttemptProgress(self._meter.calls, self.info.max_calls, self._best_loss))

    def to_model(self, prompts: FloatArray) -> FloatArray:
        """Return prompts (..., D), already checked, in the model's basis.

        Raises:
            InvalidQuery: a rotated value exceeds the bound on values.
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
        return found if request.wording == OFFICIAL_WORDING else [*found, self.wordings.digest(request.wording)]

    def _refuse_if_stopped(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise InfrastructureError("the attempt was stopped: its result is not wanted any more")

    def note_test(self, examples: int) -> None:
        """Record test-phase examples, which are never charged.

        Raises:
            InfrastructureError: the attempt was stopped.
        """
        self._refuse_if_stopped()
        self._meter.note_test(examples)

    def checkpoint(self, solution: Solution) -> None:
        """Store a checkpoint: the newest one is kept, and one per stretch of the budget.

        Raises:
            InvalidQuery: the solution's wordings or values cannot be used.
        """
        self.check_solution(solution)
        self.incumbents.name(Checkpoint(self._meter.calls, solution))

    def check_solution(self, solution: Solution) -> None:
        """Check a solution against this attempt: handles, values and outputs.

        Raises:
            InvalidQuery: the message names the member and what was expected.
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
                encoded, solution.prompts[member : member + 1], rows=np.zeros(1, np.int64), outputs=solution.outputs
            )

    def _resolve(self, request: QueryRequest) -> CheckedQuery:
        """Resolve handles to arrays in the model's basis and check the query."""
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
        """Extend the train-loss curve, shown by the progress bar and on the board."""
        logits, rows = done.response.logits, done.query.rows
        if logits is not None and done.request.split == "train" and len(rows) == len(self._splits["train"]):
            loss = float(cross_entropy(logits, self._splits["train"].labels[rows]).min())
            if self._best_loss is None or loss < self._best_loss:
                self._best_loss = loss
                self.train_losses.append((self._meter.calls, loss))


def _is_finite(response: Response) -> bool:
    return all(np.isfinite(values).all() for values in filled(response).values())
