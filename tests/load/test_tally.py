"""The figures of a block are those that a loop over its rows would give."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.load.collector import FIRST_CHAINS
from iam_loadtest.load.tally import p95_ms, tally
from iam_loadtest.results.sample import SampleBuffer, unpack
from iam_loadtest.results.trial import WindowMarks

ROWS = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.sampled_from(["issue", "refresh", "workflow"]),
        st.integers(0, 2**32 - 1),
        st.sampled_from(["ok", "timeout", "refused"]),
    ),
    min_size=1,
    max_size=400,
)


@given(ROWS, st.one_of(st.none(), st.integers(0, 200)), st.one_of(st.none(), st.integers(100, 300)))
def test_columns_say_what_rows_say(
    rows: list[tuple[int, str, int, str]], start_us: int | None, end_us: int | None
) -> None:
    buffer = SampleBuffer()
    for started_us, step, latency_us, outcome in rows:
        buffer.append(started_us, step, latency_us, 0, 200, outcome, "")
    found = tally(unpack(buffer.pack()), WindowMarks(0, start_us, end_us))
    chains = [row for row in rows if row[1] == "workflow"]
    requests = [row for row in rows if row[1] != "workflow"]
    assert found.rows_by_step == Counter(step for _, step, _, _ in rows)
    assert found.first_chains == [outcome for *_, outcome in chains][:FIRST_CHAINS]
    assert (found.requests, found.good_requests) == (len(requests), sum(outcome == "ok" for *_, outcome in requests))
    good = [started_us for started_us, _, _, outcome in chains if outcome == "ok"]
    inside = [one for one in good if start_us is not None and start_us <= one and (end_us is None or one < end_us)]
    assert found.has_success is bool(inside)
    latencies = sorted(latency_us for _, _, latency_us, _ in chains)
    expected = latencies[-(-95 * len(latencies) // 100) - 1] / 1000 if latencies else None
    assert p95_ms([found]) == expected


def test_without_anything_there_is_no_percentile() -> None:
    assert p95_ms([]) is None
