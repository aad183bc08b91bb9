"""Frames that an honest client never sends. `given["control"]`: the same frame without its fault."""

import json
import os
import time

from case import WIRE, attack
from wire import ERROR, HELLO, META, PAYLOAD, REPLY, SOLUTION, VALUES, answer, frame

_TEXT = json.dumps(META).encode()


def _send(name, faulty):
    def run(given, model):
        os.write(3, frame() if given["control"] else faulty())
        return answer()

    run.__name__ = name
    globals()[name] = attack(WIRE, "PV", control="sound")(run)


def _array(**changed):
    return frame(META | {"arrays": [VALUES | changed]})


_send("send_noise", lambda: b"x" * 24)
_send("send_other_magic", lambda: frame(magic=b"EVIL"))
_send("send_flags", lambda: frame(flags=1))
_send("send_reserved_bits", lambda: frame(reserved=1))
_send("send_unknown_type", lambda: frame(kind=99))
_send("forge_hello", lambda: frame({"nonce": "x", "landlock": 1, "versions": {}}, b"", kind=HELLO, seq=0))
_send("forge_answer_of_the_harness", lambda: frame(kind=REPLY))
_send("skip_sequence_number", lambda: frame(seq=7))
_send("announce_huge_meta", lambda: frame(meta_len=1 << 31))
_send("announce_huge_payload", lambda: frame(payload_len=1 << 60))
_send("announce_payload_beyond_the_bound", lambda: frame(payload_len=(256 << 20) + 1))
_send("send_list_for_object", lambda: frame(b"[]"))
_send("send_broken_json", lambda: frame(b"{"))
_send("send_empty_meta", lambda: frame(b""))
_send("send_bad_utf8", lambda: frame(b'{"\xff": 1}'))
_send("send_deep_nesting", lambda: frame(b"[" * 60000))
_send("send_duplicate_key", lambda: frame(_TEXT[:-1] + b', "layer": 1}'))
_send("send_unknown_key", lambda: frame(META | {"extra": 1}))
_send("leave_out_a_key", lambda: frame({name: META[name] for name in META if name != "split"}))
_send("send_nan", lambda: frame(_TEXT.replace(b"null", b"NaN", 1)))
_send("send_infinity", lambda: frame(_TEXT.replace(b"null", b"1e999", 1)))
_send("send_huge_integer", lambda: frame(_TEXT.replace(b"null", b"9" * 5000, 1)))
_send("send_bool_for_integer", lambda: frame(META | {"layer": True}))
_send("send_number_for_text", lambda: frame(META | {"split": 5}))
_send("send_lone_surrogate", lambda: frame(_TEXT.replace(b"train", b"\\ud800")))
_send("send_very_long_name", lambda: frame(META | {"split": "x" * 60000}))
_send("send_no_array", lambda: frame(META | {"arrays": []}, b""))
_send("send_unexpected_array", lambda: _array(name="labels"))
_send("send_array_twice", lambda: frame(META | {"arrays": [VALUES, VALUES]}, PAYLOAD * 2))
_send("send_negative_dimension", lambda: _array(shape=[-1, 2, 3, 4]))
_send("send_huge_dimension", lambda: _array(shape=[1 << 62, 2, 3, 4]))
_send("send_overflowing_product", lambda: _array(shape=[1 << 28, 1 << 28, 1 << 8]))
_send("send_many_dimensions", lambda: _array(shape=[1] * 33))
_send("send_missing_bytes", lambda: _array(shape=[2, 2, 3, 4]))
_send("send_trailing_bytes", lambda: frame(META, PAYLOAD + b"trailing"))
_send("send_object_array", lambda: _array(dtype="|O"))
_send("send_text_array", lambda: _array(dtype="<U8"))
_send("send_other_byte_order", lambda: _array(dtype=">f4"))
_send(
    "claim_fault_of_the_harness",
    lambda: frame({"kind": "infrastructure", "message": "", "arrays": []}, b"", kind=ERROR),
)


@attack(WIRE, "PV", control="sound")
def replay_a_request(given, model):
    os.write(3, frame(seq=1))
    answer()
    os.read(3, 1 << 16)
    os.write(3, frame(seq=2 if given["control"] else 1))
    return answer()


@attack(WIRE, "OK", control="sound")
def query_after_the_solution(given, model):
    """The attempt ends with the solution: nobody answers what follows."""
    if not given["control"]:
        array = {"name": "prompts", "dtype": "<f4", "shape": [1, 2, 3, 4]}
        meta = {"wordings": [], "outputs": ["logits"], "arrays": [array]}
        os.write(3, frame(meta, PAYLOAD, kind=SOLUTION))
    os.write(3, frame(seq=1 if given["control"] else 2))
    return answer()


@attack(WIRE, "RTE", control="sound")
def leave_frame_unfinished(given, model):
    os.write(3, frame() if given["control"] else frame()[:30])
    if not given["control"]:
        os._exit(0)
    return answer()


@attack(WIRE, "PV", control="sound")
def close_channel_and_stay(given, model):
    os.write(3, frame())
    if not given["control"]:
        os.close(3)
        time.sleep(20)
    return answer()


@attack(WIRE, "PV", relaxed={"inbound_bytes": 1 << 30}, inbound_bytes=1 << 20)
def send_without_end(given, model):
    import numpy as np

    for _ in range(40):
        model.query(np.zeros((1000, 2, 3, 4), np.float32)) if model.calls_left >= 1000 else _free(model)
    return "4 MiB"


def _free(model):
    import numpy as np

    from harness.api import BudgetExhausted

    try:
        model.query(np.zeros((1000, 2, 3, 4), np.float32))
    except BudgetExhausted:
        return


@attack(WIRE, "PV", relaxed={"max_invalid_queries": 1000}, max_invalid_queries=50)
def ask_nonsense_without_end(given, model):
    from harness.api import InvalidQuery

    for _ in range(200):
        try:
            model.query([[float("nan")]])
        except InvalidQuery:
            continue
    return "200 invalid queries"


@attack(WIRE, "PV", relaxed={"max_free_requests": 1000}, max_free_requests=50)
def ask_for_free_without_end(given, model):
    import numpy as np

    for _ in range(200):
        model.place(np.zeros((2, 3, 4), np.float32))
    return "200 prompts placed"


@attack(WIRE, "PV", relaxed={"max_free_requests": 1000}, max_free_requests=50, budget=1)
def ask_beyond_the_budget_without_end(given, model):
    for _ in range(200):
        _free(model)
    return "200 refused queries"
