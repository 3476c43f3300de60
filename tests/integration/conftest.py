"""Fixtures of the tests over harness.Pipeline and deliverylib.Delivery; a test that fails shows
what its workers wrote."""
import os
import shutil
import tempfile

import pytest
from deliverylib import Delivery
from harness import Pipeline


@pytest.fixture(scope="session", autouse=True)
def private_state():
    """What `send --to` keeps is not to be found in the home of who runs the tests."""
    folder = os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="mr-state-", dir="/tmp")
    yield
    shutil.rmtree(folder, ignore_errors=True)


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
