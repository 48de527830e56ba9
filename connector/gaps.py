"""What the org does not show of the things that failed runs depend on: what is missing, what is lost by it, what helps.

Pure. A gap is kept in the mirror until a look finds it closed, and is said in every report until then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from connector.org.composite import Subreply

METADATA = "Orchestration metadata"
FIELD_CODE = "INVALID_FIELD"

WITHOUT: Mapping[str, str] = {
    METADATA: "which flows the steps call is not known, so whether one was fixed is noticed for screen flows only",
    "FlowInterview": "why runs failed, and whether their interviews still exist, is not known",
    "FlowInterview.Error": "why runs failed is not known, so they cannot be grouped by their errors",
    "FlowOrchestrationStepInstance": "whether a resume would run a step again or only process its outputs is not known",
    "ApprovalSubmission": "approval runs, which can never be resumed, are harder to tell apart",
    "User": "inactive assignees are not noticed",
    "UserLogin": "frozen assignees are not noticed",
    "Group": "the queues and groups that runs wait for have no names",
    "FlowDefinitionView": "whether a called flow was fixed is not known",
    "FlowDefinitionView.VersionNumber": "the version numbers of called flows are not shown",
}
"""The consequence of each gap; a field that is not named here costs as much as its object."""

# Help: "Flow Orchestration permissions"; Object Reference: Group, UserLogin, FlowDefinitionView.
PERMISSIONS: Mapping[str, str] = {
    METADATA: "View Setup and Configuration",
    "FlowInterview": "Manage Flow",
    "User": "View All Users",
    "UserLogin": "Manage Users",
    "Group": "View Setup and Configuration",
    "FlowDefinitionView": "View Setup and Configuration",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that could not be read: an object, an `Object.Field` or METADATA, and Salesforce's code for why.

    `passing` tells that the org could not answer then, which says nothing about what it would show.
    """

    what: str
    code: str
    passing: bool

    @property
    def object_name(self) -> str:
        """The object, also where one of its fields is what is missing."""
        return self.what.partition(".")[0]

    @property
    def text(self) -> str:
        """How the mirror keeps it."""
        return f"{self.what}:{self.code}:{'passing' if self.passing else 'lasting'}"

    @staticmethod
    def parse(text: str) -> Gap:
        """Undo `text`."""
        what, code, kind = text.split(":", 2)
        return Gap(what, code, kind == "passing")

    def sentence(self) -> str:
        """What is missing, what that means for the runs, what to do; one line."""
        without = WITHOUT.get(self.what) or WITHOUT[self.object_name]
        if self.passing:
            return f"{self.what} could not be read just now ({self.code}): {without}. It is asked for again within minutes."
        if self.what == self.object_name:
            remedy = PERMISSIONS.get(self.what, "read access to the object, or pin a newer API version")
        else:
            remedy = "read access to the field, or pin a newer API version"
        cannot = f"{self.what} cannot be read ({self.code}): {without}."
        return f"{cannot} Give the integration user {remedy}; that is noticed within the hour."


def gap(object_name: str, reply: Subreply) -> Gap:
    """The gap that a refused query leaves. Of a missing field the org's message has the name."""
    field = re.search(r"No such column '(\w+)'", reply.problem) if reply.code == FIELD_CODE else None
    return Gap(f"{object_name}.{field[1]}" if field else object_name, reply.code, reply.is_transient)
