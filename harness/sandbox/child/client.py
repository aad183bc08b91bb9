"""The solver's side of the black box: each method is one request over the channel.

It only converts types. Nothing in this process is trusted: the harness enforces the budget, the
limits and the validation.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.api.outputs import Response
from harness.api.types import Base, ModelInfo, Solution, Wording
from harness.errors import BudgetExhausted, InvalidQuery
from harness.records import Array, FloatArray, IntArray
from harness.sandbox.wire.arrays import decode_arrays, encode_arrays
from harness.sandbox.wire.frames import Channel, ErrorKind, Frame, FrameError, FrameType

__all__ = ["WireBlackBox", "response_from", "solution_message"]

_ANSWERS = frozenset({FrameType.REPLY, FrameType.REFUSED})


def response_from(frame: Frame) -> Response:
    """Return the arrays of a REPLY or BATCH frame as a response."""
    return Response(**decode_arrays(frame.meta["arrays"], frame.payload))


def _as_floats(values: object, what: str) -> FloatArray:
    try:
        return np.ascontiguousarray(values, dtype=np.float32)
    except (TypeError, ValueError) as error:
        msg = f"{what} cannot be converted to a float32 array: {error}"
        raise InvalidQuery(msg) from None


def _as_rows(rows: Sequence[int] | IntArray) -> IntArray:
    array = np.asarray(rows)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        msg = f"rows has type {array.dtype} and shape {array.shape}, expected integers (n,)"
        raise InvalidQuery(msg)
    return array.astype(np.int64)


def _strings(values: Sequence[str], what: str) -> list[str]:
    listed = [values] if isinstance(values, str) else list(values)
    if not all(isinstance(value, str) for value in listed):
        msg = f"{what} is {listed!r}, expected strings"
        raise InvalidQuery(msg)
    return listed


def _index(value: object, what: str) -> int:
    """Return a Python or numpy integer as an int."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        msg = f"{what} is {value!r}, expected an integer"
        raise InvalidQuery(msg)
    return int(value)


def _handle(value: object, kind: type[Base] | type[Wording], what: str) -> int:
    if not isinstance(value, kind):
        msg = f"{what} is a {type(value).__name__}, expected a {kind.__name__} returned by the model"
        raise InvalidQuery(msg)
    return _index(value.id, what)


def solution_message(solution: object) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the meta and arrays of a solution.

    Raises:
        InvalidQuery: the object is no `Solution`, or a field cannot be converted.
    """
    if not isinstance(solution, Solution):
        msg = f"expected a harness.api.Solution, got {type(solution).__name__}"
        raise InvalidQuery(msg)
    if not isinstance(solution.state, Mapping):
        msg = f"Solution.state is a {type(solution.state).__name__}, expected a mapping of name to array"
        raise InvalidQuery(msg)
    arrays: dict[str, Array] = {"prompts": _as_floats(solution.prompts, "Solution.prompts")}
    for name, value in solution.state.items():
        if not isinstance(name, str):
            msg = f"Solution.state has the key {name!r}, expected strings"
            raise InvalidQuery(msg)
        arrays["state." + name] = np.asarray(value)
    meta: dict[str, Any] = {
        "wordings": [_handle(wording, Wording, "Solution.wordings") for wording in solution.wordings],
        "outputs": _strings(solution.outputs, "Solution.outputs"),
    }
    return meta, arrays


class WireBlackBox:
    """Implements `harness.api.BlackBox`. Safe to use from several threads: one request at a time."""

    def __init__(self, channel: Channel, info: ModelInfo, calls_left: int) -> None:
        """Use an open channel."""
        self._channel = channel
        self._info = info
        self._calls_left = calls_left
        self._seq = 1
        self._lock = threading.Lock()

    @property
    def info(self) -> ModelInfo:
        """The model's sizes and the limits."""
        return self._info

    @property
    def calls_left(self) -> int:
        """Calls left in the budget, as of the last answer."""
        return self._calls_left

    def place(self, prompt: FloatArray) -> Base:
        """See `harness.api.BlackBox.place`."""
        frame = self._ask(FrameType.PLACE, {}, {"prompt": _as_floats(prompt, "prompt")})
        return Base(frame.meta["id"])

    def query(
        self,
        values: FloatArray,
        *,
        layer: int | None = None,
        base: Base | None = None,
        split: str = "train",
        rows: Sequence[int] | IntArray | None = None,
        wording: Wording | None = None,
        outputs: Sequence[str] = ("logits",),
    ) -> Response:
        """See `harness.api.BlackBox.query`."""
        if not isinstance(split, str):
            msg = f"split is {split!r}, expected 'train' or 'dev'"
            raise InvalidQuery(msg)
        meta = {
            "layer": None if layer is None else _index(layer, "layer"),
            "base": None if base is None else _handle(base, Base, "base"),
            "split": split,
            "wording": 0 if wording is None else _handle(wording, Wording, "wording"),
            "outputs": _strings(outputs, "outputs"),
        }
        arrays: dict[str, Array] = {"values": _as_floats(values, "values")}
        if rows is not None:
            arrays["rows"] = _as_rows(rows)
        return response_from(self._ask(FrameType.QUERY, meta, arrays))

    def wording(
        self,
        template: str,
        words: Sequence[str | Sequence[str]],
        *,
        placeholder: str | None = None,
        mode: str = "add",
        probe_words: Sequence[str] = (),
    ) -> Wording:
        """See `harness.api.BlackBox.wording`."""
        for what, text in (("template", template), ("placeholder", placeholder), ("mode", mode)):
            if not isinstance(text, str) and not (what == "placeholder" and text is None):
                msg = f"{what} is {text!r}, expected a string"
                raise InvalidQuery(msg)
        meta = {
            "template": template,
            "words": [_strings(group, "words") for group in words],
            "placeholder": placeholder,
            "mode": mode,
            "probe_words": _strings(probe_words, "probe_words"),
        }
        return Wording(self._ask(FrameType.WORDING, meta, {}).meta["id"])

    def checkpoint(self, solution: Solution) -> None:
        """See `harness.api.BlackBox.checkpoint`."""
        meta, arrays = solution_message(solution)
        self._ask(FrameType.CHECKPOINT, meta, arrays)

    def finish(self, kind: FrameType, meta: dict[str, Any], arrays: dict[str, Array]) -> None:
        """Send the last frame, which has no answer.

        Raises:
            InvalidQuery: it does not fit into a frame.
        """
        with self._lock:
            self._send(kind, meta, arrays)

    def _send(self, kind: FrameType, meta: dict[str, Any], arrays: dict[str, Array]) -> None:
        try:
            specs, payload = encode_arrays(arrays)
            self._channel.send(kind, self._seq, {**meta, "arrays": specs}, payload)
        except FrameError as error:
            # Raised before a byte was written: the channel is intact.
            raise InvalidQuery(str(error)) from None

    def _ask(self, kind: FrameType, meta: dict[str, Any], arrays: dict[str, Array]) -> Frame:
        with self._lock:
            self._send(kind, meta, arrays)
            frame = self._channel.receive(_ANSWERS, expect_seq=self._seq)
            self._seq += 1
            self._calls_left = frame.meta["calls_left"]
        if frame.type is FrameType.REFUSED:
            error = BudgetExhausted if frame.meta["kind"] == ErrorKind.BUDGET else InvalidQuery
            raise error(frame.meta["message"])
        return frame
