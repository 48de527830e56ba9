"""The JSON documents against their published schemas."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from jsonschema import ValidationError
from sqlalchemy import Engine

from connector.mirror.engine import open_mirror
from monitor import documents, read, reasons
from monitor.assess import assess
from monitor.verdict import ReasonCode
from tests.mirrors import empty_mirror
from tests.monitor.mirrored import add, add_org, copy, quiet
from tests.monitor.stories import FAILED, NOW
from tests.monitor.workshop import workshop
from tests.schemas import NAMES, fits


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A mirror with a failed and a completed run."""
    engine = open_mirror(empty_mirror(tmp_path))
    add_org(engine)
    add(engine, copy(1), quiet(2, "Completed"))
    assess(engine, NOW)
    return engine


def test_every_document_of_a_real_org_fits_its_schema(tmp_path: Path) -> None:
    """The Monday scenario over HTTP: its list, its groups, and runs of every reason in full."""
    with workshop(empty_mirror(tmp_path), scenario="monday") as work:
        work.sync()
        page = read.runs(work.engine, work.now())
        fits("runs", documents.runs(page))
        fits("groups", documents.groups(read.groups(work.engine, work.now()), page.as_of))
        of_each = {(line.reason_code, line.status): line.id for line in page.runs}
        for run in of_each.values():
            fits("show", documents.run(read.run(work.engine, work.now(), run), page.as_of))


def test_the_reasons_fit_their_schema() -> None:
    """All of them, as `reprise explain` without a code prints them."""
    document = documents.explain(reasons.explain(code) for code in ReasonCode)
    fits("explain", document)
    assert len(document["reasons"]) == len(ReasonCode)


def test_the_names_scripts_rely_on_are_there(engine: Engine) -> None:
    """They are promises; instants end in Z."""
    document = documents.runs(read.runs(engine, NOW))
    assert (document["schema_version"], document["total"], document["as_of"]) == (1, 2, "2026-11-12T09:00:00Z")
    line = document["runs"][0]
    promised = (
        "org id name orchestration version status stage step error failed_at deadline_earliest deadline_latest"
        " seconds_left eligibility reason_code readiness confidence group attempts"
    )
    assert set(promised.split()) <= set(line)
    assert (line["deadline_earliest"], line["seconds_left"]) == ("2026-11-24T09:00:00Z", 12 * 86400)


def test_parts_of_seconds_are_kept(engine: Engine) -> None:
    """Our polls know microseconds, Salesforce whole seconds."""
    add(engine, copy(3, later=timedelta(microseconds=250)))
    assess(engine, NOW)
    lines = documents.runs(read.runs(engine, NOW))["runs"]
    assert lines[1]["failed_at"] == f"{FAILED:%Y-%m-%dT%H:%M:%S}.000250Z"


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_refuses_what_it_does_not_know(name: str) -> None:
    """A name that is misspelt or missing is noticed."""
    with pytest.raises(ValidationError):
        fits(name, {"schema_version": 1, "surprise": True})
