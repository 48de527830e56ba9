"""What must hold before anything is sent to an org. Reading is the default: writes are refused here, not hidden in a screen."""

from __future__ import annotations

from datetime import datetime

from connector.errors import NothingMatched, Refused
from monitor.plans import Plan
from monitor.settings import ResumeSettings


def check_request(settings: ResumeSettings, reason: str, actor: str) -> None:
    """Raise Refused unless writes are allowed and it is said who asks and why."""
    if not settings.allow_writes:
        raise Refused(
            "Reprise only reads here: writes are not allowed by its settings.",
            meaning="Nothing was sent, and no run was changed.",
            next_step="Set REPRISE_ALLOW_WRITES=1, or allow_writes = true under [resume] in reprise.toml.",
        )
    if not reason.strip():
        raise Refused(
            "A resume needs a reason, which is kept with it.",
            meaning="Nothing was sent.",
            next_step='Say why it may work now: --reason "credit flow fixed in version 12".',
        )
    if not actor.strip():
        raise Refused("It is not known who asks for this resume.", meaning="Nothing was sent.")


def check_plan(plan: Plan, settings: ResumeSettings, org_id: str, now: datetime) -> None:
    """Raise Refused unless the plan is unchanged, fresh at `now` (org time) and made for this org and these settings.

    A plan is a file that anybody can write, so the org and the value that is written are not its own to choose. Raises
    NothingMatched for a plan without runs.
    """
    plan.check(now)
    if plan.org_id != org_id:
        raise Refused(
            f"The plan is for the org {plan.org} ({plan.org_id}), and the sign-in is to {org_id}.",
            meaning="Nothing was sent.",
            next_step="Let the settings sign in to that org (REPRISE_INSTANCE_URL with its credentials, or its own [orgs.NAME] "
            "in reprise.toml), run `reprise sync`, and make the plan anew.",
        )
    if plan.target_status != settings.target_status:
        raise Refused(
            f"The plan writes the status {plan.target_status}, and the settings say {settings.target_status}.",
            meaning="Nothing was sent.",
            next_step="Make a new plan, or put resume.target_status right.",
        )
    if not plan.included:
        raise NothingMatched("The plan has no run to resume.", next_step="It lists why each run was left out.")
