"""10,000 random and mutated frames against the real black box: an answer, a verdict, never a fault of ours.

Seeded, so that a red light can be looked at again. Most mutations keep the lengths right: those
that do not are refused by the header alone and reach nothing.
"""

import copy
import json
import random
import resource
import socket
import struct

import numpy as np
import pytest

from harness.errors import ProtocolViolation
from harness.metering import Journal, Meter
from harness.sandbox import SandboxPolicy
from harness.sandbox.requests import Ended, RequestServer
from harness.sandbox.wire.frames import Channel, FrameError, FrameType, PeerClosedError
from harness.session.blackbox import MeteredBlackBox

N_FRAMES = 10_000
N_PER_ATTEMPT = 250
SEED = 20261121
HEADER = struct.Struct("<4sBBHIIQ")
NASTY = (
    *(None, True, False, 0, -1, 1, 2**31, 2**62, -(2**63), 2**64, 10**18, 1.5, 1e300, -0.0, "", "x", "\x00", "[M]"),
    *("{p}{text}[M]", "{label}", "{p}" * 300, "ü" * 500, "train", "test", "\u202e", "<f4", "|O", "values", "rows"),
    *([], {}, [[]], [None], [[["a"]]], {"a": {}}, ["logits"] * 100, list(range(70)), "z" * 40_000),
)
FLOATS = (np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-45, 9999.0, 10001.0, 0.0)


@pytest.fixture
def attempt(toy_arena, tmp_path):
    """Builds what serves one attempt."""
    task = toy_arena.task("sst2")
    train, dev = task.data.kshot[8]
    made = []

    def build():
        journal = Journal(tmp_path / f"{len(made)}.jsonl")
        made.append(journal)
        meter = Meter(8, len(train), journal)
        box = MeteredBlackBox(toy_arena, task, {"train": train, "dev": dev}, meter)
        policy = SandboxPolicy(max_invalid_queries=10**9, max_free_requests=10**9, state_bytes=1 << 16)
        server = RequestServer(box, policy, {"train": len(train), "dev": len(dev)}, has_predict=True)
        return server, meter

    yield build
    for journal in made:
        journal.close()


def _corpus(info):
    """Every kind of frame in its good form: (type, meta, payload)."""

    def spec(name, shape, dtype="<f4"):
        return {"name": name, "dtype": dtype, "shape": list(shape)}

    whole = (1, info.n_layers, info.n_prompt_tokens, info.hidden_size)
    values = np.zeros(whole, np.float32).tobytes()
    layer = np.zeros((1, *whole[2:]), np.float32).tobytes()
    query = {"layer": None, "base": None, "split": "train", "wording": 0, "outputs": ["logits"]}
    wording = {"template": "{p}{text} It was [M].", "words": [["bad"], ["good"]], "placeholder": None}
    return [
        (FrameType.QUERY, query | {"arrays": [spec("values", whole)]}, values),
        (
            FrameType.QUERY,
            query | {"layer": 0, "arrays": [spec("values", (1, *whole[2:])), spec("rows", (1,), "<i8")]},
            layer + bytes(8),
        ),
        (FrameType.PLACE, {"arrays": [spec("prompt", whole[1:])]}, values),
        (FrameType.WORDING, wording | {"mode": "add", "probe_words": ["fine"], "arrays": []}, b""),
        (FrameType.CHECKPOINT, {"wordings": [], "outputs": ["logits"], "arrays": [spec("prompts", whole)]}, values),
        (
            FrameType.SOLUTION,
            {"wordings": [0], "outputs": ["logits"], "arrays": [spec("prompts", whole), spec("state.w", (1,), "<i8")]},
            values + bytes(8),
        ),
        (FrameType.ERROR, {"kind": "exception", "message": "x", "arrays": []}, b""),
    ]


def _places(value, path=()):
    """Every place inside a JSON value."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _places(child, (*path, key))


def _mutate_meta(rng, meta):
    path = rng.choice([path for path in _places(meta) if path])
    holder = meta
    for key in path[:-1]:
        holder = holder[key]
    kind = rng.randrange(4)
    if kind == 0:
        holder[path[-1]] = copy.deepcopy(rng.choice(NASTY))
    elif kind == 1 and isinstance(holder, dict):
        del holder[path[-1]]
    elif kind == 2 and isinstance(holder, list):
        holder.extend(copy.deepcopy(holder) * rng.choice([1, 5, 70]))
    elif isinstance(holder, dict):
        holder[rng.choice(["extra", "", "arrays", "layer", "\ud800"])] = copy.deepcopy(rng.choice(NASTY))


def _mutate_bytes(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        kind, at = rng.randrange(4), rng.randrange(len(data) + 1)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at:at] = rng.randbytes(rng.choice([1, 8, 100]))
        elif kind == 2:
            del data[at : at + rng.choice([1, 8, 100])]
        elif data:
            data[at : at + 4] = struct.pack("<f", rng.choice(FLOATS))
    return bytes(data)


def _frame(rng, corpus):
    """One frame, somewhere between good and noise."""
    kind, meta, payload = copy.deepcopy(rng.choice(corpus))
    style = rng.randrange(10)
    if style == 0:
        return rng.randbytes(rng.choice([3, 24, 200]))
    if 1 <= style <= 5:
        for _ in range(rng.choice([1, 1, 3])):
            if meta:
                _mutate_meta(rng, meta)
    body = json.dumps(meta).encode("utf-8", "surrogatepass")
    if style == 6:
        body = _mutate_bytes(rng, body)
    if style in (5, 7) and payload:
        payload = _mutate_bytes(rng, payload)
    frame = HEADER.pack(b"GFA1", kind, 0, 0, 1, len(body), len(payload)) + body + payload
    if style == 8:
        at = rng.randrange(24)
        frame = frame[:at] + bytes([rng.randrange(256)]) + frame[at + 1 :]
    return frame


def _serve(server, data):
    """As the harness does: receive, answer; return what it came to."""
    near, far = socket.socketpair()
    with near, far:
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        near.setblocking(False)
        sent = near.send(data)
        near.shutdown(socket.SHUT_WR)
        channel = Channel(far.fileno(), inbound_bytes=1 << 30)
        try:
            answer = server.answer(channel.receive(server.ACCEPTED, frame_s=5, expect_seq=1))
        except PeerClosedError:
            return "closed"
        except FrameError:
            return "frame error"
        except ProtocolViolation:
            return "violation"
        assert sent == len(data)
        return "ended" if isinstance(answer, Ended) else answer.type.name


def test_any_frame_is_answered_refused_or_ends_the_attempt(toy_arena, attempt):
    rng = random.Random(SEED)
    corpus = _corpus(toy_arena.model_info(toy_arena.task("sst2").config))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen = {}
    for n in range(N_FRAMES):
        if n % N_PER_ATTEMPT == 0:
            server, meter = attempt()
        outcome = _serve(server, _frame(rng, corpus))
        seen[outcome] = seen.get(outcome, 0) + 1
        assert meter.usage.calls <= 8
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300 * 1024, f"{grown} KiB more memory"
    # The fuzzer must reach every layer, or it proves little.
    assert {"closed", "frame error", "ended", "REPLY", "REFUSED"} <= seen.keys(), seen
    assert min(seen["frame error"], seen["REPLY"], seen["REFUSED"], seen["ended"]) > N_FRAMES // 200, seen
