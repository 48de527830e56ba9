"""The only write to Salesforce: setting the status of runs, which suspends, cancels or resumes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.errors import ApiLimitReached, Failure, OrgUnreachable
from connector.org.client import OrgClient
from connector.org.replies import code_and_message

MAX_RUNS = 200  # records in one sObject Collections call (REST API guide)


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What the org said to one run's change. `accepted` is None when its answer was lost: only reading tells then.

    Accepted is not resumed: the org may take the new status and do nothing about it.
    """

    run: str
    accepted: bool | None
    code: str = ""
    message: str = ""


def set_status(client: OrgClient, run_ids: Sequence[str], status: str) -> list[CommandResult]:
    """Ask the org to put up to 200 runs into `status`, in one API call that is never repeated; results in the order given.

    Raises ValueError for more than 200 runs; whatever goes wrong on the way is in the results.
    """
    if len(run_ids) > MAX_RUNS:
        raise ValueError(f"{len(run_ids)} runs in one call; the org takes {MAX_RUNS}")
    records = [
        {"attributes": {"type": "FlowOrchestrationInstance"}, "id": run_id, "Status": status} for run_id in run_ids
    ]
    try:
        answers = client.update(records)
    except OrgUnreachable as lost:
        return [CommandResult(run_id, None, "NO_REPLY", lost.what) for run_id in run_ids]
    except ApiLimitReached as used_up:
        return [CommandResult(run_id, False, "REQUEST_LIMIT_EXCEEDED", used_up.what) for run_id in run_ids]
    except Failure as refused:
        code = str(getattr(refused, "code", "") or type(refused).__name__)
        return [CommandResult(run_id, False, code, refused.what) for run_id in run_ids]
    if not isinstance(answers, list) or len(answers) != len(run_ids):
        return [CommandResult(run_id, None, "NO_REPLY", "the answer has an unknown shape") for run_id in run_ids]
    return [_result(run_id, answer) for run_id, answer in zip(run_ids, answers, strict=True)]


def _result(run_id: str, answer: Mapping[str, Any]) -> CommandResult:
    if answer.get("success") is True:
        return CommandResult(run_id, True)
    code, message = code_and_message(answer.get("errors"))
    return CommandResult(run_id, False, code or "UNKNOWN", message)
