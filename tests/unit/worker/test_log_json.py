"""`gradfree worker --log-json`: one JSON object per line, with the fields of the event."""

import io
import json
import logging

import pytest

from harness.cli import output


@pytest.fixture
def log(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(output.sys, "stderr", stream)
    logger = logging.getLogger("gradfree")
    before = (list(logger.handlers), logger.level, logger.propagate)
    output.log_json()
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.handlers, logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


def test_an_event_is_one_line_with_its_fields(log):
    worker = logging.getLogger("gradfree.worker")
    worker.info("run ended", extra={"run": 7, "verdict": "OK", "calls": 40})
    worker.error("attempt void", extra={"run": 8, "fault": "line one\nline two"})
    first, second = log()
    assert {key: value for key, value in first.items() if key != "at"} == {
        "level": "info",
        "event": "run ended",
        "run": 7,
        "verdict": "OK",
        "calls": 40,
    }
    assert first["at"].endswith("+00:00")
    assert (second["level"], second["fault"]) == ("error", "line one\nline two")


def test_texts_of_other_loggers_stay_out(log):
    logging.getLogger("elsewhere").error("not ours")
    assert log() == []
