"""Named stretches of a step are what a profiler shows."""

from torch.profiler import ProfilerActivity, profile

from fewmask.parts.spans import PREFIX, span


def test_a_span_is_named_in_a_profile():
    with profile(activities=[ProfilerActivity.CPU]) as profiler, span("EMA"):
        pass
    assert f"{PREFIX}EMA" in {row.key for row in profiler.key_averages()}
