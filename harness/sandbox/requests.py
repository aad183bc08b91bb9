"""Serve a solver's requests: decode them, ask the service, return its answer or refusal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.api.outputs import OUTPUTS, filled
from harness.api.types import Solution
from harness.errors import BudgetExhausted, InvalidQuery, ProtocolViolation
from harness.records import Array, FloatArray, QueryRequest, Verdict, WordingRequest
from harness.sandbox.policy import SandboxPolicy
from harness.sandbox.service import BlackBoxService
from harness.sandbox.solution_check import BadSolutionError, build_solution
from harness.sandbox.wire.arrays import encode_arrays
from harness.sandbox.wire.frames import PAYLOAD_MAX_BYTES, ErrorKind, Frame, FrameType
from harness.sandbox.wire.messages import (
    ErrorMessage,
    PlaceMessage,
    QueryMessage,
    SolutionMessage,
    WordingMessage,
    arrays_of,
    read_message,
)

__all__ = ["AnswerFrame", "Ended", "RequestServer", "bounded_printable", "ended_by_error", "printable"]

_MESSAGE_CHARS = 4000


@dataclass(frozen=True, slots=True)
class AnswerFrame:
    """A frame to send back."""

    type: FrameType
    meta: dict[str, Any]
    payload: list[memoryview]


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of an attempt. The message may quote the participant's process: see `bounded_printable`."""

    verdict: Verdict
    message: str = ""
    solution: Solution | None = None
    out_of_budget: bool = False


class RequestServer:
    """The host's side of the black box for one attempt."""

    ACCEPTED: ClassVar[frozenset[FrameType]] = frozenset(
        {FrameType.QUERY, FrameType.PLACE, FrameType.WORDING, FrameType.CHECKPOINT, FrameType.SOLUTION, FrameType.ERROR}
    )

    def __init__(
        self, service: BlackBoxService, policy: SandboxPolicy, rows: Mapping[str, int], *, has_predict: bool
    ) -> None:
        """Serve one attempt.

        Args:
            service: the meter and the engine.
            policy: the limits.
            rows: rows of each split.
            has_predict: whether the entry class defines `predict`.
        """
        self._service = service
        self._policy = policy
        self._rows = rows
        self._has_predict = has_predict
        self._n_probe_words: dict[int, int] = {}
        # The last query's meta, decoded: the channel returns the same object for the same bytes.
        self._last_query: tuple[dict[str, Any], QueryMessage | None] = ({}, None)
        self._n_refused = 0
        self._n_free = 0
        self.invalid_queries = 0

    def answer(self, frame: Frame) -> AnswerFrame | Ended:
        """Serve one request.

        Raises:
            FrameError: the request is malformed in a way that the bundled client cannot cause.
            ProtocolViolation: too many requests that are not charged.
        """
        if frame.type is FrameType.SOLUTION:
            return self._finish(frame)
        if frame.type is FrameType.ERROR:
            return self._give_up(frame)
        serve: dict[FrameType, Callable[[Frame], tuple[dict[str, Any], dict[str, Array]]]] = {
            FrameType.QUERY: self._query,
            FrameType.PLACE: self._place,
            FrameType.WORDING: self._wording,
            FrameType.CHECKPOINT: self._checkpoint,
        }
        self._n_free += frame.type is not FrameType.QUERY
        if self._n_free > self._policy.max_free_requests:
            msg = (
                f"too many requests that are not charged (refused for the budget, prompts placed, wordings, "
                f"checkpoints): got more than {self._policy.max_free_requests}"
            )
            raise ProtocolViolation(msg)
        try:
            meta, arrays = serve[frame.type](frame)
        except BudgetExhausted as error:
            self._n_refused += 1
            self._n_free += 1
            return self._refuse(ErrorKind.BUDGET, error)
        except (InvalidQuery, BadSolutionError) as error:
            self.invalid_queries += 1
            if self.invalid_queries >= self._policy.max_invalid_queries:
                return Ended(
                    Verdict.PROTOCOL_VIOLATION,
                    f"too many invalid queries: got {self.invalid_queries}; the last: {error}",
                )
            return self._refuse(ErrorKind.INVALID, error)
        specs, payload = encode_arrays(arrays)
        return AnswerFrame(FrameType.REPLY, {**meta, "calls_left": self._service.calls_left, "arrays": specs}, payload)

    def _refuse(self, kind: str, error: Exception) -> AnswerFrame:
        meta = {"kind": kind, "message": str(error)[:_MESSAGE_CHARS], "calls_left": self._service.calls_left}
        return AnswerFrame(FrameType.REFUSED, meta, [])

    def _query(self, frame: Frame) -> tuple[dict[str, Any], dict[str, Array]]:
        meta, message = self._last_query
        if message is None or frame.meta is not meta:
            message = read_message(QueryMessage, frame)
            self._last_query = (frame.meta, message)
        arrays = arrays_of(message, frame, {"values": "<f4"}, {"rows": "<i8"})
        rows = arrays.get("rows")
        if rows is not None and (rows.ndim != 1 or rows.size > self._rows.get(message.split, 0)):
            # Before they are converted: millions of numbers would cost the harness seconds.
            msg = f"rows has shape {rows.shape}, expected (n,), n <= the rows of split {message.split!r}, no duplicates"
            raise InvalidQuery(msg)
        request = QueryRequest(
            values=arrays["values"],
            layer=message.layer,
            base=message.base,
            split=message.split,
            rows=None if rows is None else tuple(rows.tolist()),
            wording=message.wording,
            outputs=tuple(message.outputs),
        )
        self._check_answer_fits(request)
        return {}, filled(self._service.query(request))

    def _check_answer_fits(self, request: QueryRequest) -> None:
        """Refuse a query before it is charged if its answer would not fit into a frame."""
        if request.outputs == ("logits",):
            return
        info = self._service.info
        n_rows = self._rows.get(request.split, 0) if request.rows is None else len(request.rows)
        n_candidates = request.values.shape[0] if request.values.ndim else 0
        # Classes and layers are few beside what was sent: not counted.
        sizes = {"P": n_candidates, "B": n_rows, "C": 0, "L": 0, "D": info.hidden_size}
        sizes["W"] = self._n_probe_words.get(request.wording, 0)
        size = sum(OUTPUTS[name].n_bytes(sizes) for name in set(request.outputs) & OUTPUTS.keys())
        if size > PAYLOAD_MAX_BYTES // 2:
            msg = (
                f"the answer to {n_candidates} candidates on {n_rows} rows would have {size} bytes, expected at "
                f"most {PAYLOAD_MAX_BYTES // 2}; split the query"
            )
            raise InvalidQuery(msg)

    def _place(self, frame: Frame) -> tuple[dict[str, Any], dict[str, Array]]:
        message = read_message(PlaceMessage, frame)
        prompt = arrays_of(message, frame, {"prompt": "<f4"}, {})["prompt"]
        return {"id": self._service.place(prompt)}, {}

    def _wording(self, frame: Frame) -> tuple[dict[str, Any], dict[str, Array]]:
        message = read_message(WordingMessage, frame)
        arrays_of(message, frame, {}, {})
        handle = self._service.wording(
            WordingRequest(
                template=message.template,
                words=tuple(tuple(group) for group in message.words),
                placeholder=message.placeholder,
                mode=message.mode,
                probe_words=tuple(message.probe_words),
            )
        )
        self._n_probe_words[handle] = len(message.probe_words)
        return {"id": handle}, {}

    def _checkpoint(self, frame: Frame) -> tuple[dict[str, Any], dict[str, Array]]:
        self._service.checkpoint(self._solution(frame))
        return {}, {}

    def _finish(self, frame: Frame) -> Ended:
        try:
            return Ended(Verdict.OK, solution=self._solution(frame))
        except BadSolutionError as error:
            return Ended(Verdict.RUNTIME_ERROR, str(error))

    def _give_up(self, frame: Frame) -> Ended:
        message = read_message(ErrorMessage, frame)
        ended = ended_by_error(message)
        if message.kind != ErrorKind.BUDGET:
            return ended
        return Ended(ended.verdict, ended.message, out_of_budget=self._n_refused > 0)

    def _solution(self, frame: Frame) -> Solution:
        message = read_message(SolutionMessage, frame)
        arrays = arrays_of(message, frame, {"prompts": "<f4"}, {"state.": ""})
        prompts: FloatArray = arrays.pop("prompts")
        return build_solution(
            prompts,
            tuple(message.wordings),
            tuple(message.outputs),
            {name.removeprefix("state."): array for name, array in arrays.items()},
            info=self._service.info,
            policy=self._policy,
            known_wordings=self._n_probe_words.keys(),
            has_predict=self._has_predict,
        )


def ended_by_error(message: ErrorMessage) -> Ended:
    """Map the exception that the process reports to its end: always a participant's verdict."""
    prefix, verdict = {
        ErrorKind.MEMORY: ("memory limit: ", Verdict.MEMORY_LIMIT),
        ErrorKind.SOLUTION: ("solve() returned no usable solution: ", Verdict.RUNTIME_ERROR),
        ErrorKind.LOAD: ("the submission cannot be loaded: ", Verdict.RUNTIME_ERROR),
    }.get(message.kind, ("", Verdict.RUNTIME_ERROR))
    return Ended(verdict, prefix + message.message)


def bounded_printable(message: str) -> str:
    """Return a message that may quote a participant's process, cut and made printable."""
    return printable(message[:_MESSAGE_CHARS])


def printable(text: str) -> str:
    """Return a participant's text with its control characters escaped."""
    return "".join(char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}" for char in text)
