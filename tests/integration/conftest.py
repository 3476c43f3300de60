"""Fixtures of the tests over harness.Pipeline and deliverylib.Delivery; a test that fails shows
what its workers wrote."""
import pytest
from deliverylib import Delivery
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


@pytest.fixture(name="chains")
def make_chains(request):
    """chains(...) -> a Delivery that is up (unless up=False), closed at the end of the test."""
    made = []

    def make(environment=None, up=True, **options):
        made.append(Delivery(**options))
        if up:
            made[-1].up(environment)
        return made[-1]

    yield make
    for chain in made:
        if getattr(request.node, "failed", False):
            print(chain.complaints())
        chain.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    if report.when == "call":
        item.failed = report.failed
