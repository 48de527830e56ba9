"""Every error a person can meet, in one tree.

    RepriseError
    ├── UsageError            you can fix it: what was typed, configured or asked
    │   ├── ConfigError       a setting is missing, misspelt or contradictory
    │   ├── NotFound          no such run, group, code or file
    │   ├── NothingMatched    the filter is right and matches nothing
    │   └── Refused           we will not do it: read-only, policy, a changed plan, a held lease
    └── Failure               the world did it: the org, the network, the disk
        ├── SignInFailed      the org did not accept who we are
        ├── PermissionDenied  it knows who we are and that is not enough
        ├── OrgUnreachable    no usable answer within the bounded number of tries
        ├── OrgRefused        a usable answer: no (a Salesforce error code)
        ├── ApiLimitReached   the org's API calls for the day are used up
        ├── MirrorUnusable    the database is newer than we are, broken, or another process writes to it
        └── DataTooOld        what we have is too old to answer with

Only tui/diagnostics.py knows which exit code each becomes.
"""

from __future__ import annotations


class RepriseError(Exception):
    """The root. Says what happened, what it means for the runs, and what to type next.

    `what` is one sentence; `meaning` and `next_step` are one sentence each or empty.
    """

    def __init__(self, what: str, *, meaning: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.meaning = meaning
        self.next_step = next_step


class UsageError(RepriseError):
    """Something that the person at the keyboard can put right."""


class ConfigError(UsageError):
    """A setting is missing, misspelt or contradictory."""


class NotFound(UsageError):
    """The thing named does not exist in the mirror."""


class NothingMatched(UsageError):
    """The filter is valid and selects nothing."""


class Refused(UsageError):
    """Reprise declines: read-only, policy, a plan that changed, a lease somebody else holds."""


class Failure(RepriseError):
    """Something outside went wrong; the same command may work later."""


class SignInFailed(Failure):
    """The org did not accept our credentials."""


class PermissionDenied(Failure):
    """The org knows who we are and does not let us."""


class OrgUnreachable(Failure):
    """No usable answer within the bounded number of tries and seconds."""


class OrgRefused(Failure):
    """The org answered with an error of its own; `code` is Salesforce's errorCode, kept verbatim."""

    def __init__(self, what: str, *, code: str, status: int = 0, meaning: str = "", next_step: str = "") -> None:
        super().__init__(what, meaning=meaning, next_step=next_step)
        self.code = code
        self.status = status


class ApiLimitReached(Failure):
    """REQUEST_LIMIT_EXCEEDED: the org's API calls for the rolling 24 hours are used up."""


class MirrorUnusable(Failure):
    """The mirror's database cannot be used as it is: newer schema, damage, or a second writer."""


class DataTooOld(Failure):
    """The newest successful sync is too long ago for the answer to be trusted."""
