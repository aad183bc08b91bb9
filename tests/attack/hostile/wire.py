"""Frames made by hand; the format stands here again, so that the code under test proves nothing of itself."""

import json
import os
import struct

HELLO, QUERY, SOLUTION, ERROR, REPLY = 16, 19, 23, 25, 4
VALUES = {"name": "values", "dtype": "<f4", "shape": [1, 2, 3, 4]}
PAYLOAD = bytes(96)
META = {"layer": None, "base": None, "split": "train", "wording": 0, "outputs": ["logits"], "arrays": [VALUES]}


def header(kind=QUERY, seq=1, magic=b"GFA1", flags=0, reserved=0, meta_len=0, payload_len=0):
    return struct.pack("<4sBBHIIQ", magic, kind, flags, reserved, seq, meta_len, payload_len)


def frame(meta=META, payload=PAYLOAD, **fields):
    raw = meta if isinstance(meta, bytes) else json.dumps(meta).encode()
    fields = {"meta_len": len(raw), "payload_len": len(payload)} | fields
    return header(**fields) + raw + payload


def answer():
    """The first 24 bytes of what the harness answers."""
    got = b""
    while len(got) < 24:
        chunk = os.read(3, 24 - len(got))
        if not chunk:
            raise OSError(32, "closed")
        got += chunk
    if got[4] != REPLY:
        raise OSError(1, f"refused: {got[4]}")
    return f"answered: {got[:4].decode()}"


def ask_without_reading(channel, n_requests):
    import numpy as np

    values = np.zeros((20000, 2, 3, 4), np.float32)
    meta = META | {"outputs": ["logits", "features"], "arrays": [VALUES | {"shape": list(values.shape)}]}
    for seq in range(1, n_requests + 1):
        data = memoryview(frame(meta, values.tobytes(), seq=seq))
        while data:
            data = data[os.write(3, data) :]
