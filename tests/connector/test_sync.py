"""A pass brings the mirror to the org's state, in the fewest calls."""

from __future__ import annotations

from tests.connector.peers import differences, peers


def test_a_first_load_and_idle_polls(database_url: str) -> None:
    """A first load makes the mirror equal to the org; an idle poll after it is one API call and changes nothing."""
    with peers(database_url) as both:
        for name in [each.api_name for each in both.org.world.orchestrations]:
            both.org.world.start(name)
        both.advance(hours=5)
        report = both.sync()
        assert differences(both.org, both.engine) == []
        both.advance(minutes=3)
        before = both.org.api_calls()
        assert report.outcome == "COMPLETE"
        report = both.sync()
        assert differences(both.org, both.engine) == []
        assert both.org.api_calls() - before == report.api_calls == 1
