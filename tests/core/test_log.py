"""The log: columns inside, entries outside; everything comes back, and much of the same stays small."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_lab.core.log import Contexts, Log

TEXT = st.text(max_size=6)
CONTEXT = st.dictionaries(TEXT, TEXT, max_size=3)
VALUE = st.one_of(st.none(), TEXT, st.integers(), st.booleans(), st.lists(st.dictionaries(TEXT, TEXT, max_size=2)))
FIELDS = {"Encrypt": ("KeyId", "Number"), "TagResource": ("KeyId", "Tags"), "ListKeys": ()}
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {
            "at_us": st.integers(0, 2**53),
            "operation": st.sampled_from(sorted(FIELDS)),
            "region": st.sampled_from(["us-east-1", "eu-west-1"]),
        },
        optional={
            "principal": TEXT,
            "key": TEXT,
            "error": TEXT,
            "material": TEXT,
            "context": CONTEXT,
            "params": st.fixed_dictionaries({}, optional=dict.fromkeys(("KeyId", "Tags", "Number", "Secret"), VALUE)),
            "more": st.dictionaries(TEXT, TEXT, max_size=2),
        },
    ),
    max_size=12,
)


def filled(rows):
    log = Log(bytes(10))
    for row in rows:
        log.append(**row, fields=FIELDS[row["operation"]])
    return log


def everything(log):
    return [log.entry(index) for index in range(len(log))]


class TestEntries:
    @given(ENTRIES)
    def test_read_back(self, rows):
        """
        Each entry reads back as it was appended, in order, with the request members that may be shown and no other.
        """
        log = filled(rows)

        assert len(log) == len(rows)
        for index, (row, entry) in enumerate(zip(rows, everything(log), strict=True)):
            assert (entry.index, entry.at_us, entry.operation) == (index, row["at_us"], row["operation"])
            for name in ("principal", "key", "error", "material"):
                assert getattr(entry, name) == row.get(name)
            assert entry.region == row["region"]
            assert (entry.context or {}) == row.get("context", {})
            assert entry.more == (row.get("more") or {})
            shown = {name: row.get("params", {}).get(name) for name in FIELDS[row["operation"]]}
            assert entry.request == {name: value for name, value in shown.items() if value is not None}

    @pytest.mark.parametrize("operation", sorted(FIELDS))
    def test_what_may_not_be_shown(self, operation):
        """
        Of request members that may not be shown nothing is kept, not even unseen.
        """
        log = filled(
            [{"at_us": 1, "operation": operation, "region": "r", "params": {"Secret": "a secret", "KeyId": "k"}}]
        )

        assert "a secret" not in json.dumps(log.to_data())
        assert "a secret" not in repr(log.happenings)

    @given(ENTRIES)
    def test_saved_and_copied(self, rows):
        """
        A log read back from JSON, and a copy, have the same entries and ids, and save to the same data.
        """
        log = filled(rows)
        loaded = Log.from_data(json.loads(json.dumps(log.to_data())))

        for twin in (loaded, log.copy()):
            assert everything(twin) == everything(log)
            assert twin.to_data() == log.to_data()
            assert [twin.request_id(n) for n in range(3)] == [log.request_id(n) for n in range(3)]

    @given(ENTRIES, ENTRIES)
    def test_twins_go_on_alike(self, rows, later):
        """
        What is appended to a copy does not show in the original; appended to both, both stay equal.
        """
        log = filled(rows)
        before = log.to_data()
        twins = [log.copy(), Log.from_data(json.loads(json.dumps(before)))]
        for twin in twins:
            for row in later:
                twin.append(**row, fields=FIELDS[row["operation"]])

        assert log.to_data() == before
        for row in later:
            log.append(**row, fields=FIELDS[row["operation"]])
        assert [twin.to_data() for twin in twins] == [log.to_data()] * 2

    def test_index(self):
        """
        Negative indexes count from the end; there is no entry beyond it.
        """
        log = filled([{"at_us": n, "operation": "ListKeys", "region": "r"} for n in range(3)])

        assert log.entry(-1).at_us == 2
        assert log.entry(-1).index == 2
        for index in (3, -4):
            with pytest.raises(IndexError):
                log.entry(index)

    def test_ids(self):
        """
        Request ids and event ids are UUIDs, and no two entries share one.
        """
        import uuid

        log = Log(b"0123456789")
        ids = [log.request_id(n) for n in range(200)] + [log.event_id(n) for n in range(200)]

        assert len(set(ids)) == 400
        assert all(str(uuid.UUID(one)) == one for one in ids)

    def test_changed_afterwards(self):
        """
        A list or context that the caller changes after the call stays in the log as it was.
        """
        log = Log(bytes(10))
        tags, context = [{"TagKey": "a"}], {"a": "b"}
        log.append(1, "TagResource", "r", params={"Tags": tags}, fields=("Tags",), context=context)
        tags.append({"TagKey": "b"})
        context["c"] = "d"

        assert log.entry(0).request == {"Tags": [{"TagKey": "a"}]}
        assert log.entry(0).context == {"a": "b"}


class TestSmall:
    def test_same_happening_is_kept_once(self):
        """
        What happens again adds a moment, not another happening.
        """
        log = Log(bytes(10))
        for moment in range(1000):
            log.append(
                moment, "Encrypt", "r", "me", "key", params={"KeyId": "key"}, fields=("KeyId",), context={"a": "b"}
            )

        assert len(log) == 1000
        assert len(log.happenings) == 1
        assert len(log.contexts) == 2

    def test_distinct_contexts(self):
        """
        Entries each with a two-pair context of its own take under 200 bytes each.

        What they take in the long run is measured: the contexts recognised at any time are a fixed amount besides.
        """
        log = Log(bytes(10))
        tracemalloc.start()
        taken = []
        for count in (8_192, 16_384):
            for number in range(count):
                context = {"tenant": f"customer-{number % 1000:06d}", "document": f"{number + count:016x}"}
                log.append(number, "Encrypt", "us-east-1", "me", "key", context=context)
            taken.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()

        assert (taken[1] - taken[0]) / 16_384 < 200
        assert log.entry(-1).context == {"tenant": "customer-000383", "document": f"{2 * 16_384 - 1:016x}"}

    def test_contexts_are_recognised(self):
        """
        A context seen lately gets its old number; after very many others it may get a new one, and still reads back.
        """
        contexts = Contexts()
        first = contexts.number({"a": "b"})
        assert contexts.number({"a": "b"}) == first
        assert contexts.number(None) == contexts.number({}) == 0
        assert contexts.get(0) is None

        numbers = {number: contexts.number({"n": str(number)}) for number in range(10_000)}
        again = contexts.number({"a": "b"})
        assert contexts.get(first) == contexts.get(again) == {"a": "b"}
        assert all(contexts.get(numbers[n]) == {"n": str(n)} for n in (0, 4095, 4096, 9_999))

    @pytest.mark.parametrize("count", [0, 1, 4095, 4096, 4097, 8192, 8193])
    def test_memory_of_contexts_survives(self, count):
        """
        A copy, and contexts read back from data, recognise exactly what the original does.
        """
        contexts = Contexts()
        for number in range(count):
            contexts.number({"n": str(number)})
        twins = [contexts.copy(), Contexts.from_data(contexts.to_data())]

        for number in (0, count - 1, count // 2, 4000):
            expected = contexts.number({"n": str(number)})
            assert [twin.number({"n": str(number)}) for twin in twins] == [expected] * 2
