import pytest

from harness.records import VERDICT_PRECEDENCE, Verdict, worst_verdict


def test_the_worst_verdict_is_the_first_of_the_stated_order_whatever_the_order_given():
    assert [str(verdict) for verdict in VERDICT_PRECEDENCE] == [
        "IE",
        "SV",
        "PV",
        "IS",
        "MLE",
        "TLE",
        "OLE",
        "RTE",
        "AB",
        "OK",
    ]
    assert set(VERDICT_PRECEDENCE) == set(Verdict)
    for position, verdict in enumerate(VERDICT_PRECEDENCE):
        milder = list(VERDICT_PRECEDENCE[position:])
        assert worst_verdict(milder) is worst_verdict(milder[::-1]) is verdict


def test_nothing_has_no_worst_verdict():
    with pytest.raises(ValueError, match="empty"):
        worst_verdict([])
