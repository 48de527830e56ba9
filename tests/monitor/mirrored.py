"""Puts hand-made stories into a mirror, as a sync would have left them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Engine, insert
from sqlmodel import SQLModel

from connector.mirror import tables
from connector.mirror.engine import writing
from monitor.story import RunFacts, Story
from tests.monitor.stories import NOW, failed_run

ORG_ID = "00D000000000001EAA"


def add_org(
    engine: Engine, org_id: str = ORG_ID, name: str = "default", as_of: datetime | None = NOW, **more: Any
) -> None:
    """An org that was read completely at `as_of`."""
    facts = {"instance_url": "https://acme.example", "clock_offset_seconds": 0.0, "last_success_at": as_of}
    with writing(engine) as connection:
        connection.execute(insert(tables.Org), [{"org_id": org_id, "name": name} | facts | more])


def add(engine: Engine, *stories: Story) -> None:
    """These runs with everything below them."""
    with writing(engine) as connection:
        for story in stories:
            for table, rows in _rows(story):
                if rows:
                    connection.execute(insert(table), rows)


def _rows(story: Story) -> list[tuple[type[SQLModel], list[dict[str, Any]]]]:
    org = {"org_id": story.run.org_id}
    seen = {"first_seen_at": NOW, "system_modstamp": NOW, "is_deleted": False}
    log = [org | seen | _without(row, "at") | {"occurred_at": row.at} for row in story.log]
    return [
        (tables.Run, [story.run._asdict()]),
        (tables.Stage, [org | seen | row._asdict() for row in story.stages]),
        (tables.Step, [org | seen | _without(row, "pending_outputs") for row in story.steps]),
        (tables.WorkItem, [org | seen | _without(row, "run_id") for row in story.work_items]),
        (tables.LogEntry, log),
        (tables.StatusChange, [org | row._asdict() for row in story.status_changes]),
        (tables.Interview, [org | story.interview._asdict()] if story.interview else []),
    ]


def copy(number: int, *, error: str | None = None, later: Any = None, **of_run: Any) -> Story:
    """Run number N: the failed run of `stories`, with ids of its own; `later` shifts its failure."""
    story = failed_run()
    names = {row: f"{row[:3]}{number:012d}{row[15:]}" for row in _ids(story)}
    shift = later or NOW - NOW

    def moved(row: Any) -> Any:
        changes = {field: names[value] for field, value in row._asdict().items() if value in names}
        times = {field: value + shift for field, value in row._asdict().items() if isinstance(value, datetime)}
        return row._replace(**changes | times)

    assert story.interview is not None
    interview = moved(story.interview)
    return Story(
        run=moved(story.run)._replace(name=f"R-{number}", **of_run),
        stages=tuple(moved(row) for row in story.stages),
        steps=tuple(moved(row) for row in story.steps),
        log=tuple(moved(row)._replace(id=f"0jN{number:010d}{place:02d}EAA") for place, row in enumerate(story.log)),
        status_changes=tuple(moved(row) for row in story.status_changes),
        interview=interview._replace(error=error) if error else interview,
    )


def quiet(number: int, status: str, **of_run: Any) -> Story:
    """Run number N, which has not failed."""
    run: RunFacts = copy(number).run
    return Story(run._replace(status=status, interview_id=None, **of_run))


def _ids(story: Story) -> set[str]:
    assert story.interview is not None
    return {story.run.id, story.interview.id, *(row.id for row in story.stages), *(row.id for row in story.steps)}


def _without(row: Any, name: str) -> dict[str, Any]:
    return {key: value for key, value in row._asdict().items() if key != name}
