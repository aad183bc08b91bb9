"""Import the submission and run it: `solve` once, or `predict` batch by batch."""

import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from harness.api.types import ModelInfo, Split, Task
from harness.errors import BudgetExhausted, InvalidQuery
from harness.records import Array
from harness.sandbox.child.client import WireBlackBox, response_from, solution_message
from harness.sandbox.wire.arrays import decode_arrays, encode_arrays
from harness.sandbox.wire.frames import Channel, ErrorKind, Frame, FrameType

__all__ = ["predict", "solve"]

_MESSAGE_CHARS = 4000
_ALLOCATOR_TEXT = "DefaultCPUAllocator: can't allocate memory"


class _BadEntryError(Exception):
    """The submission's entry cannot be found."""


class _BadReturnError(Exception):
    """`predict` returned something other than integers (B,)."""


def solve(channel: Channel, order: Frame, submission: str) -> None:
    """Load the entry class, report whether it has `predict`, call `solve`, send the solution."""
    sent = decode_arrays(order.meta["arrays"], order.payload)
    document = json.loads(sent["document"].tobytes())
    try:
        entry = _load(document["entry"], submission)
        channel.send(FrameType.LOADED, 0, {"has_predict": hasattr(entry, "predict")})
    except BaseException as error:  # noqa: BLE001 - a submission may raise anything on import
        _fail(lambda meta: channel.send(FrameType.ERROR, 0, {**meta, "arrays": []}), error, ErrorKind.LOAD)
    info = document["info"]
    model = WireBlackBox(channel, ModelInfo(**{**info, "outputs": tuple(info["outputs"])}), document["calls_left"])

    def give_up(meta: dict[str, Any]) -> None:
        model.finish(FrameType.ERROR, meta, {})

    try:
        solution = entry(**document["params"]).solve(_task(document["task"], sent), model)
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt too
        _fail(give_up, error, ErrorKind.EXCEPTION)
    _flush()
    try:
        meta, arrays = solution_message(solution)
        model.finish(FrameType.SOLUTION, meta, arrays)
    except InvalidQuery as error:
        _fail(give_up, error, ErrorKind.SOLUTION)
    except BaseException as error:  # noqa: BLE001 - a solution's own methods may raise anything
        _fail(give_up, error, ErrorKind.EXCEPTION)


def predict(channel: Channel, order: Frame, submission: str) -> None:
    """Load the entry class, then answer each batch of responses with int64 (B,)."""
    sent = decode_arrays(order.meta["arrays"], order.payload)
    document = json.loads(sent.pop("document").tobytes())
    state = {name.removeprefix("state."): array for name, array in sent.items()}
    seq = 0

    def give_up(meta: dict[str, Any]) -> None:
        channel.send(FrameType.ERROR, seq, {**meta, "arrays": []})

    try:
        entry = _load(document["entry"], submission)
        has_predict = hasattr(entry, "predict")
        channel.send(FrameType.LOADED, seq, {"has_predict": has_predict})
        for seq in range(1, document["n_batches"] + 1):
            batch = channel.receive(frozenset({FrameType.BATCH}), expect_seq=seq)
            answer = _predictions(entry.predict, batch, state)
            specs, payload = encode_arrays({"predictions": answer})
            channel.send(FrameType.PREDICTION, seq, {"arrays": specs}, payload)
    except _BadReturnError as error:
        _fail(give_up, error, ErrorKind.SOLUTION)
    except BaseException as error:  # noqa: BLE001 - a submission may raise anything
        _fail(give_up, error, ErrorKind.EXCEPTION)


def _predictions(call: Callable[..., Any], batch: Frame, state: Mapping[str, Array]) -> Array:
    # A copy per batch, so that no batch sees another's changes of the state.
    answer = np.asarray(call(response_from(batch), {name: array.copy() for name, array in state.items()}))
    if answer.dtype.kind not in "iu" or answer.ndim != 1:
        msg = f"predict returned type {answer.dtype} and shape {answer.shape}, expected int64 (B,)"
        raise _BadReturnError(msg)
    return answer.astype(np.int64)


def _load(entry: str, submission: str) -> Any:
    name, _, attribute = entry.partition(":")
    module = importlib.import_module(name)
    origin = os.path.realpath(getattr(module, "__file__", None) or "")
    if not origin.startswith(os.path.realpath(submission) + os.sep):
        msg = f"module {name!r} comes from a library, not from the submission; rename the submission's file"
        raise _BadEntryError(msg)
    found = getattr(module, attribute, None)
    if not isinstance(found, type):
        msg = f"{entry!r}: the module has no class {attribute!r}"
        raise _BadEntryError(msg)
    return found


def _task(document: dict[str, Any], sent: dict[str, Array]) -> Task:
    def split(name: str) -> Split:
        texts = tuple(tuple(fields) for fields in document.pop(name))
        return Split(texts, np.array(sent[f"{name}_labels"]))

    train, dev = split("train"), split("dev")
    names, words = tuple(document.pop("label_names")), tuple(document.pop("words"))
    return Task(**document, label_names=names, words=words, train=train, dev=dev)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # the participant closed or replaced it; only its buffered text is lost


def _fail(send: Callable[[dict[str, Any]], None], error: BaseException, kind: str) -> NoReturn:
    """Write the traceback to the log, send the kind and a short message, exit at once."""
    try:
        # Frees the objects that filled the memory, so that the code below can allocate.
        if isinstance(error, MemoryError):
            traceback.clear_frames(error.__traceback__)
        kind, text, is_ours = _classify(error, kind)
        if not is_ours:
            traceback.print_exception(error, file=sys.__stderr__)
    except BaseException as second:  # noqa: BLE001 - an exception whose __str__ raises
        text = f"{type(error).__name__} (its text raised {type(second).__name__})"
    _flush()
    send({"kind": kind, "message": text[:_MESSAGE_CHARS].encode("utf-8", "replace").decode()})
    # Not sys.exit: it would wait for the participant's threads and run exit handlers.
    os._exit(1)


def _hint(error: BaseException) -> str:
    """Return a hint listing what the sandbox provides, for an error that it may have caused."""
    if isinstance(error, PermissionError):
        return " (the sandbox has no network and no other processes; only the scratch folder is writable)"
    if isinstance(error, ModuleNotFoundError):
        return " (the sandbox has Python's library, numpy, scipy, cma, scikit-learn, torch and the submission's files)"
    return ""


def _classify(error: BaseException, kind: str) -> tuple[str, str, bool]:
    """Return the kind, the text, and whether the log needs no traceback."""
    if isinstance(error, _BadEntryError) or (kind == ErrorKind.SOLUTION and isinstance(error, InvalidQuery)):
        return kind, str(error), True
    summary = "".join(traceback.format_exception_only(error)).strip() + _hint(error)
    # torch reports a failed allocation as a RuntimeError.
    if isinstance(error, MemoryError) or _ALLOCATOR_TEXT in summary:
        return ErrorKind.MEMORY, summary, False
    if isinstance(error, BudgetExhausted):
        return ErrorKind.BUDGET, summary, False
    if isinstance(error, SystemExit) and kind != ErrorKind.LOAD:
        return ErrorKind.EXIT, summary, False
    return kind, summary, False
