"""The installation of `make install` works, from a folder outside of this tree."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from installation import make_install, make_uninstall


@pytest.fixture(scope="module")
def prefix(root, build, tmp_path_factory):
    """The PREFIX of a whole installation."""
    prefix = tmp_path_factory.mktemp("installed")
    make_install(root, build, DESTDIR="", PREFIX=prefix)
    return prefix


def files_below(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_installed_files(prefix, build):
    files = files_below(prefix)
    for file in ("bin/ringmaster", "etc/ringmaster/ringmaster.toml", "etc/logrotate.d/ringmaster",
                 "lib/ringmaster/handlers/echo.so", "lib/ringmaster/handlers/burn.so",
                 "include/ringmaster/handler.h", "include/ringmaster/handler.hpp",
                 "lib/pkgconfig/ringmaster.pc", "lib/systemd/system/ringmaster.service",
                 "share/doc/ringmaster/README.md", "share/doc/ringmaster/docs/operations.md",
                 "share/man/man1/ringmaster.1", "share/man/man5/ringmaster.toml.5",
                 "share/bash-completion/completions/ringmaster",
                 "share/zsh/site-functions/_ringmaster",
                 "share/fish/vendor_completions.d/ringmaster.fish"):
        assert file in files
    assert not [file for file in files if "feature_service" in file or "interests" in file]


def test_installed_configuration_has_what_works_at_once(prefix):
    """The sandbox is whole, and no method needs an upstream, because none is installed."""
    config = prefix / "etc/ringmaster/ringmaster.toml"
    done = subprocess.run([prefix / "bin/ringmaster", "check", "-c", config, "--dump"], cwd="/",
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    dumped = tomllib.loads(done.stdout)
    assert dumped["workers"]["sandbox"] is True
    assert (list(dumped["methods"]), dumped.get("upstreams", {})) == (["echo"], {})


def test_installed_configuration_says_how_to_add_a_method(prefix, tmp_path):
    """Its commented example, when uncommented, adds a method (here, of the handler burn)."""
    config = prefix / "etc/ringmaster/ringmaster.toml"
    text = config.read_text()
    assert f"ringmaster reload -c {config} --wait" in text
    assert f"mean.so, into {prefix}/lib/ringmaster/handlers." in text
    for path in (f"{prefix}/lib/ringmaster/handlers",
                 f"{prefix}/share/doc/ringmaster/docs/handlers.md"):
        assert path in text and Path(path).exists()
    example = "".join(re.findall(r"^#        (?!ringmaster)(.*\n|$)", text, re.MULTILINE))
    longer = tmp_path / "longer.toml"
    longer.write_text(text + example.replace("mean", "burn"))
    done = subprocess.run([prefix / "bin/ringmaster", "check", "-c", longer], cwd="/",
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "[methods.burn]" in longer.read_text(), done.stdout


def test_installed_man_pages_are_found(prefix):
    pages = prefix / "share/man"
    done = subprocess.run(["mandb", "--create", "--quiet", pages], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    found = subprocess.run(["apropos", "-M", pages, "ringmaster"], capture_output=True, text=True)
    assert [line.split(" - ")[0].rstrip() for line in found.stdout.splitlines()] == [
        "ringmaster (1)", "ringmaster.toml (5)"]


def test_installed_units_pass_systemd_analyze(prefix):
    units = sorted((prefix / "lib/systemd/system").iterdir())
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True,
                          text=True, timeout=60)
    about_ours = [line for line in done.stderr.splitlines() if "ringmaster" in line]
    assert (done.returncode, about_ours) == (0, [])
    service = (prefix / "lib/systemd/system/ringmaster.service").read_text()
    assert f"ExecStart={prefix}/bin/ringmaster serve" in service
    assert f"-c {prefix}/etc/ringmaster/ringmaster.toml" in service
    assert "/usr/local" not in service


def test_installed_service_is_confined(prefix):
    """systemd rates a service without confinement 10. 1.5 is left because clients and upstreams may
    be anywhere."""
    unit = prefix / "lib/systemd/system/ringmaster.service"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", unit],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_staged_installation_may_be_read_by_all_and_goes_again(root, build, tmp_path):
    """Root's umask makes no difference: the service has a user of its own, who reads the files."""
    before = os.umask(0o077)
    try:
        make_install(root, build, DESTDIR=tmp_path, PREFIX="/usr")
    finally:
        os.umask(before)
    files = files_below(tmp_path)
    assert {"usr/bin/ringmaster", "etc/ringmaster/ringmaster.toml"} <= set(files)
    for file in files:
        if not file.endswith((".so", "bin/ringmaster")):
            written = (tmp_path / file).read_bytes()
            assert str(tmp_path).encode() not in written, f"{file} names the stage"
    closed = [path for path in (tmp_path / "etc").rglob("*") if path.stat().st_mode & 0o004 == 0]
    assert closed == []
    for _ in range(2):  # the second time nothing is installed
        assert "kept" not in make_uninstall(root, build, DESTDIR=tmp_path, PREFIX="/usr")
        assert files_below(tmp_path) == [] and not list(tmp_path.rglob("ringmaster*"))


def test_files_of_the_operator_are_kept(root, build, tmp_path):
    make_install(root, build, DESTDIR="", PREFIX=tmp_path)
    config = tmp_path / "etc/ringmaster/ringmaster.toml"
    config.write_text("# mine\n")
    (tmp_path / "lib/ringmaster/handlers/mine.so").touch()
    assert f"kept {config}" in make_install(root, build, DESTDIR="", PREFIX=tmp_path)
    assert f"kept {config}" in make_uninstall(root, build, DESTDIR="", PREFIX=tmp_path)
    assert files_below(tmp_path) == ["etc/ringmaster/ringmaster.toml",
                                     "lib/ringmaster/handlers/mine.so"]
    assert config.read_text() == "# mine\n"


def test_relative_prefix_is_refused(root, build):
    done = subprocess.run(["scripts/install.sh", build, "", "opt"], cwd=root, capture_output=True,
                          text=True)
    assert done.returncode == 64
    assert "'opt'" in done.stderr
