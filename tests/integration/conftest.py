"""Fixtures of the tests over harness.Pipeline, launcherlib.Chain and deliverylib.Delivery; a test
that fails shows what its workers wrote."""
import os
import shutil
import tempfile

import pytest
from deliverylib import Delivery
from harness import Pipeline
from launcherlib import Chain


@pytest.fixture(scope="session", autouse=True)
def private_state():
    """What `send --to` keeps is not to be found in the home of who runs the tests."""
    folder = os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="mr-state-", dir="/tmp")
    yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(name="keep")
def keep_to_the_end(request):
    """keep(x) -> x, which is closed at the end of the test."""
    kept = []

    def keep(thing):
        kept.append(thing)
        return thing

    yield keep
    for thing in kept:
        if getattr(request.node, "failed", False):
            print(thing.complaints())
        thing.close()


@pytest.fixture(name="make")
def make_pipeline(keep):
    """make(...) -> a Pipeline."""
    return lambda **sections: keep(Pipeline(**sections))


@pytest.fixture(name="chains")
def make_chains(keep):
    """chains(...) -> a Delivery that is up, unless up=False."""
    def make(environment=None, up=True, **options):
        chain = keep(Delivery(**options))
        if up:
            chain.up(environment)
        return chain
    return make


@pytest.fixture(name="chain")
def chain_to_feed(request):
    """A Chain of the real stages, up; the lines of its [ingest] are the test file's INGEST."""
    with Chain(real=True, ingest=request.module.INGEST) as chain:
        chain.up()
        yield chain


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    if report.when == "call":
        item.failed = report.failed
