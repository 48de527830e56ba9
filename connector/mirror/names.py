"""The name of an org in the mirror: what the settings call it, and never two orgs by one name."""

from __future__ import annotations

from sqlalchemy import Connection, select, update
from sqlmodel import col

from connector.mirror.tables import Org


def claim(connection: Connection, org: Org, name: str) -> str:
    """Call this org by its name in the settings; a sentence about another one that had the name, if one had.

    That is so after a sandbox was refreshed, and where several orgs come from the environment, which knows one name only.
    """
    org.name = name
    same = select(col(Org.org_id)).where(col(Org.name) == name, col(Org.org_id) != org.org_id)
    other = connection.scalar(same)
    if other is None:
        return ""
    renamed = f"{name}-{other}"
    connection.execute(update(Org).where(col(Org.org_id) == other).values(name=renamed))
    return f"Another org was called {name!r} in this mirror; its runs are kept, and it is now called {renamed!r}."
