"""Addresses that open something in Salesforce."""

from __future__ import annotations


def run_url(instance_url: str, run_id: str) -> str:
    """Opens a run in Lightning. The form of the address is customary, not documented."""
    return f"{instance_url.rstrip('/')}/lightning/r/FlowOrchestrationInstance/{run_id}/view"
