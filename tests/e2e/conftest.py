"""The fixtures of all end-to-end tests. The build folder is $RINGMASTER_BUILD (build/release)."""

import os
import signal
from pathlib import Path

import probes
import pytest
from feature_client import FeatureService
from flaky_upstream import asking  # noqa: F401 (a fixture)
from processes import Process
from python_handlers import module_python, python  # noqa: F401 (fixtures)
from scribbling import scribbles  # noqa: F401 (a fixture)
from server import (  # noqa: F401 (fixtures)
    gate, holding, module_server, probe, server, throws, tries,
)  # fmt: skip
from share import Share

ROOT = Path(__file__).resolve().parents[2]


def pytest_configure(config):
    # With this, a server does not execute itself, which saves 35 ms of CPU time each.
    # test_huge_pages.py has servers without it.
    os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
    if folder := os.environ.get("RINGMASTER_SHARE"):
        config.pluginmanager.register(Share(Path(folder)))


def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        probes.require(*mark.args)


@pytest.fixture(scope="session")
def root():
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def build():
    """The folder with the programs under test."""
    folder = (ROOT / os.environ.get("RINGMASTER_BUILD", "build/release")).resolve()
    assert folder.is_dir(), f"{folder}: expected the programs there; run make"
    return folder


@pytest.fixture
def start(tmp_path):
    """start(argv, name=None, env=None, cwd=None) -> Process, killed after the test; its stderr is
    copied to NAME.log in the test's folder, which pytest keeps. Without `name`: the program's."""
    started = []

    def start_process(argv, name=None, env=None, cwd=None):
        name = name or Path(argv[0]).name
        process = Process.start(argv, env=env, cwd=cwd, log=tmp_path / f"{name}.log")
        started.append(process)
        return process

    yield start_process
    for process in started:
        process.kill()


@pytest.fixture
def tokens(tmp_path):
    """tokens(TOKEN, ...): writes the tokens to a file, and returns its path."""
    path = tmp_path / "tokens"

    def write(*lines: str) -> Path:
        path.touch(mode=0o600)
        path.write_text("# a comment\n" + "".join(f"{line}\n" for line in lines))
        return path

    return write


@pytest.fixture
def feature_service(build, start):
    """feature_service("--delay-ms", 5, port=0) -> FeatureService, ready. After the test, SIGTERM
    must end the service with 0. With ASan, 0 also shows that nothing leaked."""
    services = []

    def start_service(*options, port=0, name="feature_service"):
        argv = [build / "feature_service", "--listen", f"127.0.0.1:{port}", *options]
        # ASan holds back 256 MiB of freed memory, which would hide what the service itself holds.
        asan = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
        services.append(FeatureService(start(argv, name=name, env={"ASAN_OPTIONS": asan})))
        return services[-1]

    yield start_service
    for service in services:
        if service.process.returncode is None:
            assert service.process.stop(signal.SIGTERM) == 0, service.process.lines
