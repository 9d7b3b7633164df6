"""What is said of an installation without kernels."""

from importlib import metadata
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from mien.cli import serve as serve_module
from mien.cli.installation import how_to_compile


@pytest.mark.parametrize(
    ("direct_url", "command"),
    [
        ('{"url": "file:///somewhere", "dir_info": {"editable": true}}', "--no-deps --editable ."),
        ('{"url": "file:///somewhere", "dir_info": {}}', "--no-deps ."),
        ('{"url": "https://example.org/mien.whl", "archive_info": {}}', "--no-deps ."),
        ("[]", "--no-deps ."),
        ("{", "--no-deps ."),
        (None, "--no-deps ."),
    ],
)
def test_the_command_that_compiles_them_leaves_an_editable_installation_one(monkeypatch, direct_url, command):
    installed = SimpleNamespace(read_text={"direct_url.json": direct_url}.get)
    monkeypatch.setattr(metadata, "distribution", {"mien": installed}.__getitem__)
    assert how_to_compile().endswith(f"pip install --force-reinstall {command}")


@pytest.mark.parametrize(("kernels", "variable", "said"), [(None, "", True), (None, "0", False), (object(), "", False)])
def test_a_server_says_once_that_they_are_missing(monkeypatch, kernels, variable, said):
    monkeypatch.setattr(serve_module, "kernels", kernels)
    monkeypatch.setenv("MIEN_NATIVE", variable)
    with capture_logs() as logs:
        serve_module._say_what_is_slow()
    expected = {"event": "kernels_missing", "log_level": "info", "helps": how_to_compile()}
    assert logs == ([expected] if said else [])
