"""What many tests share: the default models, fetched once through the registries."""

import os
import signal
from pathlib import Path

import hypothesis
import pytest

from support.busy import RerunsWhenBusy
from support.kinds import KindsByFolder

collect_ignore = ["support/gst_peer.py"]  # the system's Python runs it, with packages of its own
SHARED_MEDIA = Path(__file__).parents[2] / "shared" / "media"


# No deadline: a busy machine takes its time. Where a change is judged, the same examples each time; elsewhere others.
hypothesis.settings.register_profile("mien", deadline=None, max_examples=60, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("mien")


def pytest_configure(config):
    config.pluginmanager.register(KindsByFolder(), "kinds-by-folder")
    config.pluginmanager.register(RerunsWhenBusy(), "reruns-when-busy")


@pytest.fixture(scope="session", autouse=True)
def _listen_to_ctrl_c():
    """A shell starts what runs in the background deaf to Ctrl-C, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def runtime():
    """Return a runtime over the user's model cache, filled first if need be."""
    from mien.app.models import DEFAULT_MODELS
    from mien.config import Settings
    from mien.registry.runtime import Runtime
    from mien.registry.store import Store

    store = Store(Settings().models_dir)
    store.ensure(DEFAULT_MODELS)
    return Runtime(store)


@pytest.fixture(scope="session")
def factory(runtime):
    """Return the factory of real pipelines."""
    from mien.app.factory import VisionFactory

    return VisionFactory(runtime)


@pytest.fixture(scope="session")
def shared_media():
    """Return the folder of licensed test clips beside the checkout, if it is there."""
    if not SHARED_MEDIA.is_dir():
        pytest.skip("no ../shared/media beside this checkout: only the clips made by code are tested")
    return SHARED_MEDIA
