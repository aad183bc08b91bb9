from dataclasses import replace

import numpy as np

from harness.api import Response
from harness.records import QueryRequest
from harness.session.trace import request_digest, response_digest

REQUEST = QueryRequest(np.zeros((1, 2, 3), np.float32), layer=0)


def test_every_field_of_a_query_is_in_its_digest():
    changes = [
        {"values": np.ones((1, 2, 3), np.float32)},
        {"values": np.zeros((2, 1, 3), np.float32)},
        {"layer": 1},
        {"base": 0},
        {"split": "dev"},
        {"rows": (0,)},
        {"wording": 1},
        {"outputs": ("features",)},
    ]
    digests = [request_digest(replace(REQUEST, **change)) for change in changes]
    assert len({request_digest(REQUEST), *digests}) == len(changes) + 1


def test_equal_queries_have_equal_digests_whatever_the_memory_layout():
    values = np.arange(6, dtype=np.float32).reshape(1, 3, 2).transpose(0, 2, 1)
    assert request_digest(replace(REQUEST, values=values)) == request_digest(replace(REQUEST, values=values.copy("C")))


def test_response_digest_tells_outputs_apart():
    array = np.zeros((1, 2, 2), np.float32)
    assert response_digest(Response(logits=array)) != response_digest(Response(features=array))
    assert response_digest(Response(logits=array)) == response_digest(Response(logits=array.copy()))


def test_the_same_numbers_over_another_base_are_another_question():
    assert request_digest(REQUEST, ["a"]) != request_digest(REQUEST, ["b"])
    assert request_digest(REQUEST, ["a"]) != request_digest(REQUEST)
