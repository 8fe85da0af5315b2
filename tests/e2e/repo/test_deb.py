"""The packages that `make deb` has made: their files, and their effects in a booted container:
install, serve, upgrade under load, take in another package's handlers, purge. And the container
images that `make image` makes of them."""

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import probes
import pytest
from callers import Callers
from container import NEEDS, Container, boot
from service import SERVICE, SOCKET, Service, assert_gone

FOLDERS = ("etc", "etc/*", "etc/systemd/system/*", "lib/systemd/system", "run", "usr/bin",
           "usr/include", "usr/lib", "usr/share/*", "usr/share/man/*", "var/lib/dpkg/info",
           "var/lib/private", "var/lib/systemd/*", "var/log", "var/log/private")


@pytest.fixture(scope="module")
def packages(root, build):
    """name -> the package's file."""
    built_at = (build / "ringmaster").stat().st_mtime
    found = {file.name.partition("_")[0]: file for file in (root / "build/deb").glob("*.deb")
             if "dbgsym" not in file.name and file.stat().st_mtime > built_at}
    if build.name != "release" or not found:
        pytest.skip("there are no packages of this build; `make deb` makes them")
    return found


def files_in(package: Path) -> dict[str, str]:
    """path -> permissions and owner of each file in the package."""
    listing = subprocess.check_output(["dpkg-deb", "--contents", package], text=True)
    return {words[5].removeprefix("."): f"{words[0]} {words[1]}"
            for words in map(str.split, listing.splitlines()) if not words[5].endswith("/")}


def field(package: Path, name: str) -> str:
    return subprocess.check_output(["dpkg-deb", "--field", package, name], text=True).strip()


def test_each_file_is_in_the_package_that_needs_it(packages):
    files = {name: files_in(package) for name, package in packages.items()}
    for name, expected in {
        "ringmaster": {
            "/usr/bin/ringmaster", "/usr/lib/ringmaster/handlers/echo.so",
            "/etc/ringmaster/ringmaster.toml", "/etc/logrotate.d/ringmaster",
            "/lib/systemd/system/ringmaster.service", "/lib/systemd/system/ringmaster.socket",
            "/usr/share/man/man1/ringmaster.1.gz", "/usr/share/man/man5/ringmaster.toml.5.gz",
            "/usr/share/bash-completion/completions/ringmaster",
            "/usr/share/zsh/vendor-completions/_ringmaster",
            "/usr/share/fish/vendor_completions.d/ringmaster.fish",
            "/usr/share/doc/ringmaster/docs/quick-start.md",
            "/usr/share/doc/ringmaster/docs/examples/balanced_client.py",
            "/usr/share/doc/ringmaster/docs/examples/balanced_client.mjs"},
        "ringmaster-dev": {"/usr/include/ringmaster/handler.h",
                           "/usr/share/pkgconfig/ringmaster.pc"},
        "ringmaster-python3": {"/usr/lib/ringmaster/handlers/python.so",
                               "/usr/lib/ringmaster/handlers/python/ringmaster/__init__.py"},
    }.items():
        assert expected <= set(files[name]), name
    everything = [file for one in files.values() for file in one]
    assert len(everything) == len(set(everything))  # each file is in one package
    assert not [file for file in everything if "feature_service" in file or "interests" in file]
    assert {owner.split()[1] for one in files.values() for owner in one.values()} == {"root/root"}


def test_dependencies_are_those_of_the_programs(packages):
    """A server without Python needs no Python, and the handler `python` fits its server only."""
    version = field(packages["ringmaster"], "Version")
    assert "libuv1" in field(packages["ringmaster"], "Depends")
    assert "python" not in field(packages["ringmaster"], "Depends")
    python = field(packages["ringmaster-python3"], "Depends")
    assert f"ringmaster (= {version})" in python and "libpython3" in python


def test_configuration_is_the_operators(packages):
    """dpkg asks before it replaces a conffile that was changed."""
    listed = subprocess.check_output(["dpkg-deb", "--info", packages["ringmaster"], "conffiles"],
                                     text=True)
    assert listed.split() == ["/etc/logrotate.d/ringmaster", "/etc/ringmaster/ringmaster.toml"]


def test_version_follows_the_last_release(packages, root, build):
    """The next release must count as newer than all packages made before it."""
    released = re.search(r"^## (\d\S*) - ", (root / "CHANGELOG.md").read_text(), re.M).group(1)
    version = field(packages["ringmaster"], "Version")
    assert version == released or re.fullmatch(re.escape(released) + r"\+\d{14}", version)
    printed = subprocess.check_output([build / "ringmaster", "--version"], text=True)
    assert printed.split()[-1] == released


def newer(package: Path, folder: Path) -> Path:
    """The package with a later version."""
    tree = folder / package.stem
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*", r"\g<0>.1", control.read_text(), flags=re.M))
    made = folder / "newer.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, made], check=True)
    return made


@pytest.fixture(scope="module")
def container(packages, tmp_path_factory):
    probes.require("landlock", "seccomp")  # which the installed configuration asks for
    stage = tmp_path_factory.mktemp("stage") / "root"  # a folder that all may enter
    (stage / "opt").mkdir(parents=True)
    policy = stage / "usr/sbin/policy-rc.d"  # lets packages start services
    policy.parent.mkdir(parents=True)
    policy.write_text("#!/bin/sh\nexit 0\n")
    policy.chmod(0o755)
    for name in ("ringmaster", "ringmaster-python3"):
        shutil.copy(packages[name], stage / f"opt/{name}.deb")
    shutil.move(newer(packages["ringmaster"], tmp_path_factory.mktemp("newer")), stage / "opt")
    with boot(stage, tmp_path_factory.mktemp("container")) as booted:
        # A triggered mandb would read all man pages of this machine.
        booted.path("/var/lib/man-db/auto-update").unlink(missing_ok=True)
        yield booted


def dpkg(container: Container, *arguments: str) -> str:
    return container.run("dpkg", "--force-unsafe-io", *arguments)


def traces(container: Container) -> set[str]:
    """The paths that have the server's name, in the folders into which packages put files."""
    return {str(path) for folder in FOLDERS
            for path in container.path("/").glob(f"{folder}/*ringmaster*")}


@pytest.fixture
def service(container):
    """The service of the package `ringmaster`, which is purged after the test."""
    before = traces(container)
    dpkg(container, "--install", "/opt/ringmaster.deb")
    yield Service(container)
    dpkg(container, "--purge", "ringmaster-python3", "ringmaster")
    assert traces(container) == before
    assert container.processes(SERVICE) == []


@NEEDS
def test_installed_package_serves_at_once(service):
    assert service.container.run("ringmaster", "call", "echo", '["at once"]') == '["at once"]\n'
    assert service.systemctl("is-enabled", SERVICE) == "enabled\n"
    (service.container.path("/var/log/ringmaster") / "server.log").touch()  # purge removes it


@NEEDS
def test_upgrade_reloads_a_server_that_holds_its_address(service):
    old = service.master()
    with Callers(service, 4) as callers:
        callers.wait_for_answers(50)
        output = dpkg(service.container, "--install", "/opt/newer.deb")
        service.wait_for_line("event=reloaded")
        callers.wait_for_answers(50)
    assert callers.failures == []
    assert (callers.refused, callers.closed, callers.reset) == (0, 0, 0)
    assert service.master() == old and "systemctl restart ringmaster" in output
    assert service.show("StatusText").startswith("serving: ")


@NEEDS
def test_upgrade_restarts_a_server_behind_a_socket(service):
    service.systemctl("stop", SERVICE)
    service.systemctl("start", SOCKET)
    with Callers(service, 4) as callers:
        callers.wait_for_answers(50)
        old = service.started()
        dpkg(service.container, "--install", "/opt/newer.deb")
        assert_gone(old)
        callers.wait_for_answers(50)
    assert callers.failures == [] and callers.reset == 0


@NEEDS
def test_package_with_a_handler_has_the_server_reload(service):
    service.container.path("/etc/ringmaster/double.py").write_text(
        "def double(value: int) -> int:\n    return 2 * value\n")
    service.config.write_text(service.shipped + '\n[handlers.double]\npython = "double.py:double"\n'
                              '\n[methods.double]\nsteps = [{ run = "double" }]\n')
    dpkg(service.container, "--install", "/opt/ringmaster-python3.deb")
    service.wait_for_line("event=reloaded")
    assert service.call("double", {"value": 21}) == 42
    service.container.path("/etc/ringmaster/double.py").unlink()


@NEEDS
def test_removed_package_keeps_what_the_operator_wrote(service):
    service.config.write_text(service.shipped + "# mine\n")
    dpkg(service.container, "--remove", "ringmaster")
    assert service.container.processes(SERVICE) == []
    assert service.config.read_text().endswith("# mine\n")


IMAGE_BYTES_MAX = 60_000_000
# As in conf/kubernetes: no capabilities, a read-only root; the image itself names the user. The
# server's memory does not fit into /dev/shm. --ulimit: podman may be unable to raise limits.
CONFINED = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--network=none",
            "--shm-size=64k", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")


class Podman:
    def __init__(self, folder: Path):
        self._options = ["--root", folder / "root", "--runroot", folder / "run", "--runtime=runc",
                         "--storage-driver=vfs", "--cgroup-manager=cgroupfs"]

    def try_run(self, *arguments: str | Path) -> subprocess.CompletedProcess:
        return subprocess.run(["podman", *self._options, *arguments], capture_output=True,
                              text=True)

    def run(self, *arguments: str | Path) -> str:
        done = self.try_run(*arguments)
        assert done.returncode == 0, f"podman {arguments}: {done.stderr}"
        return done.stdout.strip()


@pytest.fixture(scope="module")
def podman(packages, root):
    """A Podman that has the images `localhost/ringmaster` and `localhost/ringmaster-python3`."""
    probes.require("root", "cgroups", "namespaces", "buildah")
    made = subprocess.run([root / "scripts/image.sh"], capture_output=True, text=True)
    if made.returncode == 71:  # no network, for example
        pytest.skip(made.stderr.strip().splitlines()[-1])
    assert made.returncode == 0, made.stdout + made.stderr
    with tempfile.TemporaryDirectory() as folder:  # podman refuses long paths
        program = Podman(Path(folder))
        for name in ("ringmaster", "ringmaster-python3"):
            program.run("load", "--quiet", "--input", root / f"build/image/{name}.tar")
        yield program
        program.run("rm", "--all", "--force", "--time=0")


def start_image(podman: Podman, name: str, *options: str) -> tuple[dict, str]:
    """What `podman image inspect` says of the image, and the name of a container that runs it."""
    image = podman.run("image", "list", "--quiet", f"localhost/{name}")
    (inspected,) = json.loads(podman.run("image", "inspect", image))
    started = podman.try_run("run", "--detach", "--cpus=1", *CONFINED, *options, image)
    if started.returncode == 125:  # podman itself failed
        pytest.skip(f"no container can be started: {started.stderr.strip()}")
    assert started.returncode == 0, started.stderr
    return inspected, started.stdout.strip()


def call_in(podman: Podman, server: str, method: str, params: str) -> str:
    return podman.run("exec", server, "ringmaster", "call", "--wait", "20", method, params)


def test_image_serves_confined_and_drains(podman):
    inspected, server = start_image(podman, "ringmaster")
    assert inspected["User"] == "65532:65532"
    assert inspected["Size"] <= IMAGE_BYTES_MAX
    assert call_in(podman, server, "echo", '["hello"]') == '["hello"]'
    assert "serving: 1 of 1 workers" in podman.run("exec", server, "ringmaster", "top", "--count=1")
    podman.run("stop", "--time=15", server)
    assert podman.run("container", "inspect", "--format={{.State.ExitCode}}", server) == "0"
    assert "event=stopped" in podman.try_run("logs", server).stderr


def test_image_with_python_serves_a_function(podman, root, tmp_path):
    """The folder stands for the files that the Dockerfile in docs/packages.md copies."""
    tmp_path.chmod(0o755)  # the image's user reads it
    venv = tmp_path / "venv"
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", venv], check=True)
    (found,) = venv.glob("lib/python3*/site-packages")
    (found / "doubling.py").write_text("FACTOR = 2\n")
    (tmp_path / "score.py").write_text("from doubling import FACTOR\n\n"
                                       "def score(value: int) -> int:\n    return FACTOR * value\n")
    shipped = (root / "conf/kubernetes/base/ringmaster.toml").read_text()
    (tmp_path / "ringmaster.toml").write_text(
        shipped + '\n[handlers.score]\npython = "score.py:score"\nvenv = "venv"\n'
        '\n[methods.score]\nsteps = [{ run = "score" }]\n')
    inspected, server = start_image(podman, "ringmaster-python3",
                                    f"--volume={tmp_path}:/etc/ringmaster:ro")
    assert inspected["User"] == "65532:65532"
    assert call_in(podman, server, "score", '{"value": 21}') == "42"
