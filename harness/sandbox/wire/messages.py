"""Validate a frame's meta on the host: unknown keys, wrong types and invalid text are rejected."""

from functools import cached_property
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.records import Array
from harness.sandbox.wire.arrays import MAX_ARRAYS, PayloadLayout, arrays_in, layout_of
from harness.sandbox.wire.frames import META_MAX_BYTES, PAYLOAD_MAX_BYTES, Frame, FrameError

__all__ = [
    "ErrorMessage",
    "FaultMessage",
    "HelloMessage",
    "LoadedMessage",
    "PlaceMessage",
    "PredictionMessage",
    "QueryMessage",
    "SolutionMessage",
    "WithArrays",
    "WordingMessage",
    "arrays_of",
    "read_message",
]

_Text = Annotated[str, Field(max_length=META_MAX_BYTES)]
_Name = Annotated[str, Field(max_length=128)]
_Int = Annotated[int, Field(ge=-(2**62), le=2**62)]
_KEY_CHARS = 200
_M = TypeVar("_M", bound=BaseModel)
_Dimension = Annotated[int, Field(ge=0, le=PAYLOAD_MAX_BYTES)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Array(_Message):
    name: _Name
    dtype: _Name
    shape: Annotated[list[_Dimension], Field(max_length=8)]


class WithArrays(_Message):
    """A message whose frame has a payload."""

    arrays: Annotated[list[_Array], Field(max_length=MAX_ARRAYS)]

    @cached_property
    def layout(self) -> PayloadLayout:
        """Where the arrays lie in the payload.

        Raises:
            FrameError: a description is not valid.
        """
        return layout_of({"name": one.name, "dtype": one.dtype, "shape": one.shape} for one in self.arrays)


class HelloMessage(_Message):
    """The lockdown is done and tested."""

    nonce: _Name
    landlock: _Int
    versions: dict[_Name, _Text]


class FaultMessage(_Message):
    """The lockdown failed; sent before any participant code."""

    nonce: _Name
    problems: list[_Text]


class LoadedMessage(_Message):
    """The entry class was found."""

    has_predict: bool


class ErrorMessage(WithArrays):
    """The participant's code raised. The text is for people; the kind alone decides no verdict."""

    kind: Literal["exception", "memory", "budget", "solution", "load", "exit"]
    message: _Text
    arrays: Annotated[list[_Array], Field(max_length=0)] = []


class PlaceMessage(WithArrays):
    """Arrays: prompt."""


class QueryMessage(WithArrays):
    """Arrays: values, and optionally rows."""

    layer: _Int | None
    base: _Int | None
    split: _Name
    wording: _Int
    outputs: list[_Name]


class WordingMessage(WithArrays):
    """No arrays."""

    template: _Text
    words: list[list[_Text]]
    placeholder: _Text | None
    mode: _Name
    probe_words: list[_Text]


class SolutionMessage(WithArrays):
    """Arrays: prompts, and state.<name> for each array of the state."""

    wordings: list[_Int]
    outputs: list[_Name]


class PredictionMessage(WithArrays):
    """Arrays: predictions."""


def read_message(model: type[_M], frame: Frame) -> _M:
    """Return the frame's meta as `model`.

    Raises:
        FrameError: an unknown or missing key, a wrong type, a value out of range, or text that
            is not valid Unicode. Its message is short and printable whatever was sent.
    """
    try:
        return model.model_validate(frame.meta)
    except ValidationError as error:
        # Without the input, and with the key cut and escaped: both come from the participant and may be as
        # long as a frame's meta.
        first = error.errors(include_input=False, include_url=False)[0]
        key = ascii(".".join(map(str, first["loc"]))[:_KEY_CHARS])
        msg = f"{frame.type.name} frame: {key}: {first['msg']}"
        raise FrameError(msg) from None


def arrays_of(
    message: WithArrays, frame: Frame, required: dict[str, str], optional: dict[str, str]
) -> dict[str, Array]:
    """Return the frame's arrays.

    Args:
        message: the frame's decoded meta.
        frame: the frame.
        required: name -> dtype of the required arrays.
        optional: name -> dtype of the optional arrays. A name that ends in "." matches any name
            with that prefix; the dtype "" matches any listed one.

    Raises:
        FrameError: a missing or unexpected array, a wrong type, or a wrong byte count.
    """
    for spec in message.arrays:
        name = spec.name
        expected = required.get(name, optional.get(name, optional.get(name.partition(".")[0] + ".")))
        if expected is None or (expected and spec.dtype != expected):
            msg = f"{frame.type.name} frame: array {name!r} of type {spec.dtype!r} is not expected"
            raise FrameError(msg)
    arrays = arrays_in(frame.payload, message.layout)
    missing = required.keys() - arrays.keys()
    if missing:
        msg = f"{frame.type.name} frame: missing arrays {sorted(missing)}"
        raise FrameError(msg)
    return arrays
