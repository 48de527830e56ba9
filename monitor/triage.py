"""Triage: one run's story in, one verdict out. Pure.

Two halves. `judge` says what the org's evidence shows, whatever the time; its verdict can be stored. `at` adds what
changes without the org: expiry, a deadline that is only roughly known, data too old to answer with, and a resume of ours
that is on its way. `triage` is both.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from monitor import readiness, rules, signature
from monitor.deadline import deadline, is_older_than_polls
from monitor.reasons import explain
from monitor.rules import instant
from monitor.settings import MonitorSettings
from monitor.story import ERROR, Story
from monitor.verdict import (
    RESUME_WINDOW,
    Confidence,
    Deadline,
    DeadlineProof,
    Eligibility,
    Evidence,
    Readiness,
    ReasonCode,
    Verdict,
)

NOTHING_TO_RESUME = frozenset(
    {
        ReasonCode.OUTSIDE_STEP,
        ReasonCode.MULESOFT_ACTION,
        ReasonCode.ASSIGNEE_UNRESOLVED,
        ReasonCode.APPROVAL_RUN,
        ReasonCode.INTERVIEW_GONE,
        ReasonCode.RUN_DELETED,
        ReasonCode.RESUMED_ELSEWHERE,
        ReasonCode.NOT_IN_ERROR,
    }
)
"""The reasons under which no resume is possible at any time, hence no deadline; but see `judge`."""

UNFAILED = Verdict(
    eligibility=Eligibility.NOT_RESUMABLE,
    reason=ReasonCode.NOT_IN_ERROR,
    readiness=Readiness.UNASSESSED,
    readiness_note="",
    confidence=Confidence.PROVEN,
    deadline=None,
    failed_at=None,
    episode=0,
    stage=None,
    step=None,
    error=None,
    group=None,
    evidence=(),
)
"""The verdict on a run that never failed: nobody needs its story for it."""


def triage(story: Story, now: datetime, settings: MonitorSettings | None = None) -> Verdict:
    """The verdict on a run at `now`, which is the org's time."""
    open_since = min((attempt.at for attempt in story.attempts if attempt.is_open), default=None)
    return at(judge(story), now, story.as_of, settings or MonitorSettings(), open_since)


def judge(story: Story) -> Verdict:
    """What the evidence shows, without regard to the time.

    A run that left Error by its label alone keeps the deadline of its failure: nothing ended the 14 days.
    """
    until = deadline(story)
    last_seen = rules.find(story)
    by_label = last_seen.reason is ReasonCode.NOT_IN_ERROR and bool(story.unmoved_steps)
    if until is None and last_seen.reason in readiness.RECOVERABLE:
        last_seen = _undated(last_seen)
    finding = rules.as_seen(story, last_seen)
    failed_at = until.earliest - RESUME_WINDOW if until else None
    ready, note = readiness.assess(story, finding.reason, failed_at)
    stage, step = failed_place(story)
    return Verdict(
        eligibility=explain(finding.reason).eligibility,
        reason=finding.reason,
        readiness=ready,
        readiness_note=note,
        confidence=finding.confidence,
        deadline=until if by_label or finding.reason not in NOTHING_TO_RESUME else None,
        failed_at=failed_at,
        episode=story.episode,
        stage=stage,
        step=step,
        error=signature.clean(story.interview.error) if story.interview else None,
        group=cause_group(story, last_seen.reason) if story.episode else None,
        evidence=finding.evidence + _deadline_evidence(story, until),
    )


def at(
    verdict: Verdict,
    now: datetime,
    as_of: datetime | None,
    settings: MonitorSettings,
    open_since: datetime | None = None,
) -> Verdict:
    """A judged verdict as it stands at `now`, with data of `as_of`; both are the org's time.

    `open_since` is when a resume of ours was begun that nobody knows the end of. What is not in Error by its label stays so.
    """
    until = verdict.deadline
    if until is None or verdict.reason is ReasonCode.NOT_IN_ERROR:
        return verdict
    if open_since is not None:
        return _because(
            verdict, ReasonCode.ATTEMPT_OPEN, f"a resume of ours is open since {instant(open_since)}", "our ledger"
        )
    fresh = as_of is not None and now - as_of <= settings.data_max_age
    known_until = now if fresh else as_of
    if known_until is not None and known_until > until.latest:
        return _expired(verdict, until, now, settings)
    if verdict.eligibility is Eligibility.UNKNOWN:
        return verdict
    if not fresh:
        newest = f"the newest complete sync is of {instant(as_of)}" if as_of else "no sync was ever complete"
        return _because(verdict, ReasonCode.STALE_DATA, newest, "our mirror; `reprise sync` renews it")
    if now > until.earliest:
        between = f"the deadline lies between {instant(until.earliest)} and {instant(until.latest)}"
        return _because(verdict, ReasonCode.FAIL_TIME_UNKNOWN, between, _PROOF_SOURCES[until.proof])
    return _near_the_end(verdict, until.earliest - now, settings)


def failed_place(story: Story) -> tuple[str | None, str | None]:
    """The API names of the stage and step where the run failed, or where it stands."""
    stage = story.current_stage
    stage_name = story.run.current_stage or (stage.name if stage else None)
    step = next(
        (step for status in (ERROR, "InProgress") for step in story.current_steps if step.status == status), None
    )
    if step is None and not story.steps and (logged := story.milestones("FailStep", since=story.resumed_at)):
        return logged[-1].stage_name, logged[-1].step_name
    return stage_name, step.name if step else None


def cause_group(story: Story, reason: ReasonCode) -> str:
    """The id of the group that the run's newest failure belongs to; without an error text the reason stands for it.

    A run that was resumed keeps its group: its place is then read off the log, where the failure remains.
    """
    stage, step = failed_place(story)
    if story.run.status != ERROR:
        logged = story.milestones("FailStep")
        stage, step = (logged[-1].stage_name, logged[-1].step_name) if logged else (stage, None)
    called = story.call_of(stage, step)
    error = story.interview.error if story.interview else None
    what = signature.normalise(error) if error else reason
    return signature.group_id(
        story.run.org_id, story.run.orchestration, stage, step, called.action_name if called else None, what
    )


def _undated(finding: rules.Finding) -> rules.Finding:
    """A recoverable error of which nothing proves when it happened, hence not that there is time left."""
    fact = Evidence("nothing proves when the run failed", f"{rules.LOG}, {rules.STAGE}, our polls")
    return rules.Finding(ReasonCode.FAIL_TIME_UNKNOWN, Confidence.ASSUMED, (fact, *finding.evidence))


def _because(verdict: Verdict, reason: ReasonCode, fact: str, source: str) -> Verdict:
    """The verdict with another reason, and the fact that gave it as the first evidence."""
    evidence = (Evidence(fact, source), *verdict.evidence)
    return replace(verdict, reason=reason, eligibility=explain(reason).eligibility, evidence=evidence)


def _expired(verdict: Verdict, until: Deadline, now: datetime, settings: MonitorSettings) -> Verdict:
    """Too late, whatever failed: as sure as the moment of the failure is known."""
    exact = until.proof is DeadlineProof.FAIL_RUN_MILESTONE and verdict.reason is not ReasonCode.RUN_NOT_VISIBLE
    late = _because(
        replace(
            verdict,
            readiness=Readiness.UNASSESSED,
            readiness_note="",
            confidence=Confidence.PROVEN if exact else Confidence.INFERRED,
        ),
        ReasonCode.WINDOW_EXPIRED,
        f"the 14 days ended at {instant(until.latest)}",
        'Salesforce Help, "Orchestration Run"',
    )
    return _near_the_end(late, now - until.latest, settings)


def _near_the_end(verdict: Verdict, distance: timedelta, settings: MonitorSettings) -> Verdict:
    """Close to the deadline, on either side, nothing is proven: the documents do not say how 14 days are counted."""
    if distance >= settings.safety_margin or verdict.confidence is not Confidence.PROVEN:
        return verdict
    return replace(verdict, confidence=Confidence.INFERRED, evidence=(*verdict.evidence, _BY_THE_HOUR))


def _deadline_evidence(story: Story, until: Deadline | None) -> tuple[Evidence, ...]:
    if until is None:
        return ()
    failed = until.earliest - RESUME_WINDOW
    exactly = "" if until.earliest == until.latest else "not before "
    facts = [Evidence(f"failed {exactly}{instant(failed)}", _PROOF_SOURCES[until.proof])]
    if is_older_than_polls(failed, story):
        facts.append(Evidence("a later poll still saw the run in progress", "our polls", contradicts=True))
    if (number := story.episode) > 1:
        facts.append(Evidence(f"this is failure number {number} of the run", f"{rules.LOG}.Kind"))
    return tuple(facts)


_PROOF_SOURCES = {
    DeadlineProof.FAIL_RUN_MILESTONE: f"{rules.LOG}: Fail Run",
    DeadlineProof.FAIL_STEP_MILESTONE: f"{rules.LOG}: Fail Step or Fail Stage",
    DeadlineProof.STEP_OR_STAGE_ROW: f"{rules.STAGE} and {rules.STEP}: creation of the newest row",
    DeadlineProof.POLL_BRACKET: "our polls",
}
_BY_THE_HOUR = Evidence(
    "whether 14 days are counted by the hour or by the day is not documented",
    'Salesforce Help, "Orchestration Run"',
    contradicts=True,
)
