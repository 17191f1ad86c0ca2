"""The stub says what there is, and its examples are true."""

import doctest
import importlib.util
import subprocess
import sys

import pairgate_dfn
import pytest
from pairgate_dfn import _native

NAMES = ["ArrowStream", "Choice", "Decision", "Gate", "Journal", "Model", "Record", "Sketch", "State"]


def test_stub_and_module_agree():
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("SKIPPED: mypy is not installed")
    command = [sys.executable, "-m", "mypy.stubtest", "pairgate_dfn._native"]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def documented():
    for name in NAMES:
        found = getattr(_native, name)
        yield name, found.__doc__
        for member, value in vars(found).items():
            if getattr(value, "__doc__", None) and (not member.startswith("_") or member == "__call__"):
                yield f"{name}.{member}", value.__doc__
    yield "pairgate_dfn", pairgate_dfn.__doc__


@pytest.mark.parametrize(("name", "text"), list(documented()))
def test_examples(name, text):
    names = {name: getattr(pairgate_dfn, name) for name in NAMES}
    example = doctest.DocTestParser().get_doctest(text, names, name, None, 0)
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(example)
    assert runner.failures == 0


def test_everything_is_documented():
    texts = dict(documented())
    for name in NAMES:
        for member in vars(getattr(_native, name)):
            if not member.startswith("_"):
                assert texts.get(f"{name}.{member}"), f"{name}.{member}"
    assert all(getattr(pairgate_dfn, name).__doc__ for name in pairgate_dfn.__all__ if name != "__version__")
