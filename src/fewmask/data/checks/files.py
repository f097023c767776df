"""All findings about files, in the order they are reported."""

from collections.abc import Iterator

from fewmask.data.checks.duplicates import duplicate_findings
from fewmask.data.checks.finding import Finding
from fewmask.data.checks.formats import format_findings
from fewmask.data.checks.pairing import pairing_findings
from fewmask.data.checks.readability import readability_findings
from fewmask.data.checks.sizes import size_findings
from fewmask.data.checks.survey import Survey


def file_findings(survey: Survey) -> Iterator[Finding]:
    """All findings about files."""
    yield from readability_findings(survey)
    yield from pairing_findings(survey)
    yield from size_findings(survey)
    yield from duplicate_findings(survey)
    yield from format_findings(survey)
