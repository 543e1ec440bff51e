"""The clock: it moves only forward, stops at every entry, and keeps the order of entry in one instant."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_lab.core.clock import DAY_US, HOUR_US, Clock, to_datetime, to_us

INSTANTS = st.lists(st.integers(0, 50), max_size=30)


def filled(instants):
    clock = Clock(0)
    for number, when in enumerate(instants):
        clock.schedule(when, "ring", str(number))
    return clock


class TestTime:
    @given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)))
    def test_round_trip(self, moment):
        """
        Microseconds and aware times are two spellings of one moment.
        """
        aware = moment.replace(tzinfo=UTC)

        assert to_datetime(to_us(aware)) == aware

    def test_zone(self):
        """
        A time of another zone is the same moment; a time without one is refused.
        """
        assert to_us(datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == to_us(
            datetime(2026, 1, 1, tzinfo=UTC)
        )
        with pytest.raises(ValueError, match="no time zone"):
            to_us(datetime(2026, 1, 1))

    def test_units(self):
        """
        A day has 24 hours of 3,600 million microseconds, and the epoch is 1970.
        """
        assert DAY_US == 24 * HOUR_US == 24 * 3600 * 10**6
        assert to_datetime(0) == datetime(1970, 1, 1, tzinfo=UTC)


class TestAdvance:
    @given(INSTANTS)
    def test_order(self, instants):
        """
        Entries come by their instants, and in one instant in the order in which they were entered.
        """
        done = [(due.when_us, int(due.subject)) for due in filled(instants).advance(100)]

        assert done == sorted((when, number) for number, when in enumerate(instants))

    @given(INSTANTS)
    def test_clock_shows_the_instant(self, instants):
        """
        While an entry is handled the clock shows its instant; afterwards the time travelled to.
        """
        clock = filled(instants)

        for due in clock.advance(100):
            assert clock.now_us == due.when_us
            assert clock.now == to_datetime(due.when_us)
        assert clock.now_us == 100
        assert clock.now == to_datetime(100)

    @given(INSTANTS, st.integers(0, 60))
    def test_later_entries_stay(self, instants, until):
        """
        What is due at the very moment of arrival is done; what is later stays, soonest first.
        """
        clock = filled(instants)

        done = [due.when_us for due in clock.advance(until)]

        assert sorted(done) == sorted(when for when in instants if when <= until)
        assert [due.when_us for due in clock.pending] == sorted(when for when in instants if when > until)

    def test_entry_made_on_the_way(self):
        """
        An entry scheduled while another is handled happens on the same journey, if it is due.
        """
        clock = filled([10])
        done = []

        for due in clock.advance(35):
            done.append(due.when_us)
            clock.schedule(due.when_us + 10, "ring", "again")

        assert done == [10, 20, 30]
        assert [due.when_us for due in clock.pending] == [40]

    def test_entry_in_the_past(self):
        """
        An entry for a moment that is past happens at the next move, and does not turn the clock back.
        """
        clock = Clock(50)
        clock.schedule(20, "ring", "late")

        assert [(due.when_us, clock.now_us) for due in clock.advance(50)] == [(20, 50)]

    def test_back_in_time(self):
        """
        The clock does not go back, and stays where it was.
        """
        clock = Clock(50)
        with pytest.raises(ValueError, match="only moves forward"):
            list(clock.advance(49))
        assert clock.now_us == 50
        assert list(clock.advance(50)) == []


@given(INSTANTS, st.integers(0, 60))
def test_copies_go_on_alike(instants, until):
    """
    A copy, and a clock read back from its data, fire the same entries; and what they do leaves the original alone.
    """
    clock = filled(instants)
    list(clock.advance(min(until, 20)))
    twins = [clock.copy(), Clock.from_data(clock.to_data())]
    before = clock.to_data()

    journeys = []
    for twin in twins:
        twin.schedule(55, "ring", "new")
        journeys.append((list(twin.advance(60)), twin.to_data()))

    assert clock.to_data() == before
    clock.schedule(55, "ring", "new")
    assert journeys == [(list(clock.advance(60)), clock.to_data())] * 2
