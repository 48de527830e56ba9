"""What each reason code means, what it stands on, and what a person should do: the text behind `reprise explain`."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.verdict import Eligibility, ReasonCode

_RUN_PAGE = 'Salesforce Help, "Orchestration Run"'
_STEP_OBJECT = "Object Reference v67, FlowOrchestrationStepInstance"
_LOG_OBJECT = "Object Reference v67, FlowOrchestrationLog"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason code, documented. `sentence` fits a list; the others are a short paragraph each."""

    code: ReasonCode
    eligibility: Eligibility
    sentence: str
    meaning: str
    todo: str
    evidence_used: str
    source: str


def explain(code: ReasonCode) -> Reason:
    """The documentation of a reason code."""
    return _REASONS[code]


_REASONS = {
    reason.code: reason
    for reason in (
        Reason(
            ReasonCode.STEP_FLOW_ERROR,
            Eligibility.RESUMABLE,
            "A flow called by a background step failed.",
            "Salesforce counts this as recoverable. A resume starts the failed step again with the version of the "
            "called flow that is active then.",
            "Fix the called flow (or the data it met), activate it, then resume the run before its deadline.",
            "The run, its current stage and a background step are in Error; the step is no MuleSoft step; the "
            "interview still exists.",
            f"{_RUN_PAGE}: recoverable errors",
        ),
        Reason(
            ReasonCode.ASSIGNEE_INACTIVE,
            Eligibility.RESUMABLE,
            "A step's assignee was inactive or frozen.",
            "Salesforce counts this as recoverable. A resume creates a replacement work item for the assignee.",
            "Activate or unfreeze the person, then resume the run before its deadline.",
            "An interactive step is in Error and its assignee, named by its work item or its milestone, is an "
            "inactive or frozen user, or was one when the step failed.",
            f"{_RUN_PAGE}: recoverable errors; Object Reference v67, UserLogin.IsFrozen",
        ),
        Reason(
            ReasonCode.SCREEN_FLOW_ERROR,
            Eligibility.RESUMABLE,
            "The screen flow of an interactive step failed.",
            "Salesforce counts a failed flow of an interactive step as recoverable. A resume creates a new work item.",
            "Fix the screen flow, activate it, then resume the run before its deadline.",
            "An interactive step of the stage in Error is in Error itself while its assignee is not the cause, or is "
            "still InProgress although its stage is in Error.",
            f"{_RUN_PAGE}: recoverable errors; {_STEP_OBJECT}, Status InProgress",
        ),
        Reason(
            ReasonCode.WINDOW_EXPIRED,
            Eligibility.NOT_RESUMABLE,
            "The 14 days in which the run could be resumed are over.",
            "Salesforce refuses to resume a run later than 14 days after its failure.",
            "Finish the business process by hand or start a new run for the record; `reprise show` lists what is done.",
            "The latest possible end of the deadline interval has passed.",
            f"{_RUN_PAGE}: 'up to 14 days'",
        ),
        Reason(
            ReasonCode.OUTSIDE_STEP,
            Eligibility.NOT_RESUMABLE,
            "The orchestration itself failed, outside of the flows its steps call.",
            "Salesforce counts this as non-recoverable: there is no step to start again.",
            "Correct the orchestration, activate a new version and start a new run for the record.",
            "The run is in Error, no step of its current stage is in Error or InProgress, and its log has a Fail Run "
            "without a Fail Step.",
            f"{_RUN_PAGE}: non-recoverable errors; {_LOG_OBJECT}",
        ),
        Reason(
            ReasonCode.MULESOFT_ACTION,
            Eligibility.NOT_RESUMABLE,
            "The action of a MuleSoft step failed.",
            "Salesforce counts this as non-recoverable.",
            "Repair the action, then start a new run for the record.",
            "The step in Error calls a stepMuleSoft action, or its StepType is none of the documented interactive and "
            "background types (the value of a MuleSoft step is not documented).",
            f"{_RUN_PAGE}: non-recoverable errors; {_STEP_OBJECT}, StepType",
        ),
        Reason(
            ReasonCode.ASSIGNEE_UNRESOLVED,
            Eligibility.NOT_RESUMABLE,
            "A step's assignee is no valid user, group or queue.",
            "Salesforce counts a wrongly configured assignee as non-recoverable, unlike an inactive one.",
            "Correct the assignee in the orchestration, activate a new version and start a new run for the record.",
            "A milestone of the failed step has the assignment type Invalid.",
            f"{_RUN_PAGE}: non-recoverable errors; {_LOG_OBJECT}, AssigneeType",
        ),
        Reason(
            ReasonCode.APPROVAL_RUN,
            Eligibility.NOT_RESUMABLE,
            "The run belongs to a flow approval process.",
            "Runs of flow approval processes can never be resumed, whatever failed.",
            "Recall or resubmit the approval for the record.",
            "An approval submission points at the run, or the run's flow type is one of approvals.",
            'Salesforce Help, "Error Handling in Flow Approval Processes"',
        ),
        Reason(
            ReasonCode.INTERVIEW_GONE,
            Eligibility.NOT_RESUMABLE,
            "The flow interview that a resume would continue no longer exists.",
            "Failed interviews are often deleted to free a flow version; a run without its interview has nothing left "
            "to resume.",
            "Start a new run for the record, and keep clean-up jobs away from interviews of orchestrations.",
            "FlowOrchestrationInstance.InterviewId is empty, or the FlowInterview it names is gone.",
            "Object Reference v67, FlowOrchestrationInstance and FlowInterview; inferred",
        ),
        Reason(
            ReasonCode.NOT_IN_ERROR,
            Eligibility.NOT_RESUMABLE,
            "The run is not in Error.",
            "Only a run in Error is resumed as a failed run.",
            "Nothing, unless the evidence of `reprise show` names a step that is still in Error: then only the label of the "
            "run was changed, and somebody must look at it in Salesforce before its 14 days end.",
            "The run's Status. A step still in Error without any milestone of a resume speaks against it.",
            f"{_RUN_PAGE}: statuses",
        ),
        Reason(
            ReasonCode.RUN_DELETED,
            Eligibility.NOT_RESUMABLE,
            "The run was deleted.",
            "Nobody can resume a record that is deleted.",
            "If it was not deleted on purpose, restore it from the recycle bin.",
            "IsDeleted, or an entry among the org's deleted records. A run that only vanished is RUN_NOT_VISIBLE.",
            "Object Reference v67, FlowOrchestrationInstance; REST API guide: Get Deleted",
        ),
        Reason(
            ReasonCode.ATTEMPT_OPEN,
            Eligibility.NOT_RESUMABLE,
            "A resume of this run is on its way.",
            "Reprise has sent a resume, or was about to, and waits for proof of what became of it. A second one could "
            "start the failed step twice.",
            "`reprise watch --once` looks for proof. Without any within resume.proof_within it is given up, and the run can be "
            "resumed again.",
            "An attempt in our own ledger without an outcome.",
            "Reprise's ledger",
        ),
        Reason(
            ReasonCode.RESUMED_ELSEWHERE,
            Eligibility.NOT_RESUMABLE,
            "Somebody resumed the run, and not through Reprise.",
            "The run is no longer waiting to be resumed.",
            "Nothing; if it fails again a new deadline starts.",
            "A Resume Run milestone newer than the failure and no attempt of ours.",
            f"{_LOG_OBJECT}, Kind ResumeInstance",
        ),
        Reason(
            ReasonCode.NO_PERMISSION,
            Eligibility.NOT_RESUMABLE,
            "The signed-in user may not resume runs.",
            "The org would refuse the write.",
            "Give the user Manage Orchestration Runs, or Manage Orchestration Runs and Work Items.",
            "The org's answer to a resume, where it stands in the attempt's detail. It is never a run's verdict: what the "
            "signed-in user may do is not read.",
            "Salesforce Help, Flow Orchestration permissions",
        ),
        Reason(
            ReasonCode.READ_ONLY,
            Eligibility.NOT_RESUMABLE,
            "Reprise is set to read only.",
            "Nothing is written to Salesforce until the settings allow it.",
            "Set REPRISE_ALLOW_WRITES=1, or allow_writes = true under [resume] in reprise.toml, if you may.",
            "The setting resume.allow_writes. It is the reason_code of a dry run's document (`reprise resume --json`), never "
            "a run's verdict.",
            "Reprise's settings",
        ),
        Reason(
            ReasonCode.POLICY_BLOCKED,
            Eligibility.NOT_RESUMABLE,
            "A rule in the settings excludes this run from resumes.",
            "The run could be resumed; the settings say not to.",
            "Ask whoever set the rule, or resume the run in Salesforce.",
            "Nothing so far: no setting excludes runs.",
            "Reprise's settings",
        ),
        Reason(
            ReasonCode.RUN_NOT_VISIBLE,
            Eligibility.UNKNOWN,
            "The run can no longer be seen, so nobody here can tell how it is.",
            "The org does not find it any more, not even by its Id, and has no delete record of it: it is no longer shared "
            "with the integration user, or it was purged. Unless it was, its deadline goes on.",
            "Give the integration user View All Data (or share the run with it), then `reprise reconcile`. If an administrator "
            "does not find the run either, it was purged and nothing is left to resume.",
            "The Id audit (`reprise reconcile`), which did not find the run; its stages, steps and log as they were last seen.",
            "Object Reference v67, FlowOrchestrationInstance: access; inferred",
        ),
        Reason(
            ReasonCode.STALE_DATA,
            Eligibility.UNKNOWN,
            "The data is too old to say.",
            "The run could be resumed when the org was last read; nobody here knows what happened since.",
            "`reprise sync`",
            "The time of the newest complete sync against the setting data_max_age.",
            "Reprise's mirror",
        ),
        Reason(
            ReasonCode.FAIL_TIME_UNKNOWN,
            Eligibility.UNKNOWN,
            "The deadline may have passed: the moment of the failure is only known roughly.",
            "The present moment lies between the earliest and the latest possible deadline.",
            "Resume it at once, if the cause is fixed; permission to read the run's log would give the exact moment.",
            "The deadline interval: Fail Run milestone, else Fail Step or Stage, else rows, else polls.",
            f"{_RUN_PAGE}: 'up to 14 days'; {_LOG_OBJECT}, Timestamp",
        ),
        Reason(
            ReasonCode.NO_STEP_ROWS,
            Eligibility.UNKNOWN,
            "The rows that show which kind of step failed are missing.",
            "Whether the error is recoverable depends on the kind of the failed step.",
            "Give the signed-in user View All Data (or share stages and steps), then `reprise sync --full`.",
            "Stage and step rows of the run, against the stages and steps its log and CurrentStage name.",
            f"{_RUN_PAGE}: recoverable and non-recoverable errors",
        ),
        Reason(
            ReasonCode.NO_LOG_ACCESS,
            Eligibility.UNKNOWN,
            "The run's log cannot be read, and here only the log can tell.",
            "Without milestones an error outside of steps, or an assignee that does not resolve, looks like a "
            "recoverable one.",
            "Give the signed-in user Manage Flow, or let the log inherit run sharing, then `reprise sync --full`.",
            "The run has no log entry at all, although every run has at least Start Run.",
            f"{_LOG_OBJECT}, access",
        ),
        Reason(
            ReasonCode.UNRECOGNISED_STATUS,
            Eligibility.UNKNOWN,
            "The run has a status that Reprise does not know.",
            "Salesforce may have added a value; it is shown and never guessed.",
            "Look at the run in Salesforce, and look for a newer Reprise.",
            "FlowOrchestrationInstance.Status against the documented values.",
            "Object Reference v67, FlowOrchestrationInstance",
        ),
    )
}
