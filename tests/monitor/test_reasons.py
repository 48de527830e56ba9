"""Every reason code is documented, and its eligibility is the one that verdicts carry."""

from __future__ import annotations

import pytest

from monitor.reasons import explain
from monitor.verdict import Eligibility, ReasonCode


@pytest.mark.parametrize("code", ReasonCode)
def test_every_code_is_documented(code: ReasonCode) -> None:
    """What it means, what to do, what it stands on and who says so, each in whole sentences or a source."""
    reason = explain(code)
    assert reason.code is code
    for text in (reason.sentence, reason.meaning, reason.todo, reason.evidence_used):
        assert text.endswith((".", "`"))
        assert " " in text or text == "Nothing."
    assert reason.source


def test_only_recoverable_errors_are_resumable() -> None:
    """The closed list: Help names two recoverable cases, one of which has two forms here."""
    resumable = {code for code in ReasonCode if explain(code).eligibility is Eligibility.RESUMABLE}
    assert resumable == {ReasonCode.STEP_FLOW_ERROR, ReasonCode.SCREEN_FLOW_ERROR, ReasonCode.ASSIGNEE_INACTIVE}


@pytest.mark.parametrize("code", [code for code in ReasonCode if explain(code).eligibility is Eligibility.UNKNOWN])
def test_an_unknown_says_how_to_get_the_missing_evidence(code: ReasonCode) -> None:
    """A permission to give, a command to type, or a place to look."""
    words = ("reprise ", "Give the", "Look at", "permission")
    assert any(word in explain(code).todo for word in words)
