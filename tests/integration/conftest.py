"""Fixtures of the tests over harness.Pipeline; a test that fails shows what its workers wrote."""
import pytest
from harness import Pipeline


@pytest.fixture(name="make")
def make_pipeline(request):
    """make(...) -> a Pipeline that is closed at the end of the test."""
    made = []

    def make(**sections):
        made.append(Pipeline(**sections))
        return made[-1]

    yield make
    for pipeline in made:
        if getattr(request.node, "failed", False):
            print(pipeline.complaints())
        pipeline.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    if report.when == "call":
        item.failed = report.failed
