"""Which flows the steps of an orchestration version call: only the version's metadata tells, read once for each version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from connector.errors import OrgUnreachable
from connector.mirror import evidence as mirrored
from connector.mirror import state
from connector.mirror.engine import writing
from connector.mirror.tables import CalledFlow, EvidenceCheck
from connector.org import soql
from connector.org.client import OrgClient


def read_versions(
    client: OrgClient, engine: Engine, org_id: str, unread: Sequence[tuple[str, int]], now: datetime
) -> None:
    """Mirror what these (orchestration, version) pairs call, each as soon as it is read. A version that is gone calls nothing.

    Costs a call and one more for each version. Raises Failure where the org does not answer.
    """
    existing = _flow_ids(client, unread)
    for orchestration, version in unread:
        metadata: Mapping[str, Any] = {}
        if (orchestration, version) in existing:
            # Tooling API: metadata can be read of one record at a time only.
            record = client.get(f"tooling/sobjects/Flow/{existing[orchestration, version]}")
            metadata = (record or {}).get("Metadata") or {}
        check = EvidenceCheck(org_id=org_id, subject=mirrored.version_subject(orchestration, version), checked_at=now)
        try:
            called = _called_flows(org_id, orchestration, version, metadata, now)
        except (AttributeError, KeyError, TypeError) as strange:
            raise OrgUnreachable(f"The metadata of {orchestration} has an unknown shape.") from strange
        with writing(engine) as connection:
            state.store(connection, *called, check)


def _flow_ids(client: OrgClient, wanted: Sequence[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """The Ids of those flow versions that the org still has."""
    text = soql.select(
        ("Id", "VersionNumber", "Definition.DeveloperName"),
        "Flow",
        [soql.one_of("Definition.DeveloperName", sorted({orchestration for orchestration, _ in wanted}))],
    )
    return {(row["Definition"]["DeveloperName"], row["VersionNumber"]): row["Id"] for row in client.tooling_query(text)}


def _called_flows(
    org_id: str, orchestration: str, version: int, metadata: Mapping[str, Any], now: datetime
) -> list[CalledFlow]:
    """What each step calls, out of a Flow's metadata (Metadata API: Flow, FlowOrchestratedStage and FlowStageStep)."""
    return [
        CalledFlow(
            org_id=org_id,
            orchestration=orchestration,
            version=version,
            stage_name=stage["name"],
            step_name=step["name"],
            action_name=step["actionName"],
            action_type=step.get("actionType"),
            checked_at=now,
        )
        for stage in metadata.get("orchestratedStages") or ()
        for step in stage.get("stageSteps") or ()
        if step.get("actionName")
    ]
