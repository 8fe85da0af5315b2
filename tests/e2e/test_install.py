"""The installation of `make install` works, from a folder outside of this tree."""

import subprocess

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
    for handler in (build / "handlers").glob("*.so"):
        assert f"lib/ringmaster/handlers/{handler.name}" in files
    for file in ("bin/ringmaster", "etc/ringmaster/ringmaster.toml",
                 "etc/ringmaster/models/interests.ubj", "etc/logrotate.d/ringmaster",
                 "include/ringmaster/handler.h", "include/ringmaster/handler.hpp",
                 "lib/pkgconfig/ringmaster.pc", "lib/systemd/system/ringmaster.service",
                 "share/doc/ringmaster/README.md", "share/doc/ringmaster/docs/operations.md",
                 "share/man/man1/ringmaster.1", "share/man/man5/ringmaster.toml.5",
                 "share/bash-completion/completions/ringmaster",
                 "share/zsh/site-functions/_ringmaster",
                 "share/fish/vendor_completions.d/ringmaster.fish"):
        assert file in files
    assert "bin/feature_service" not in files


def test_an_installed_server_does_without_no_part_of_the_sandbox(prefix):
    configuration = (prefix / "etc/ringmaster/ringmaster.toml").read_text()
    assert "\nsandbox = true\n" in configuration and "best-effort\"\n" not in configuration


def test_installed_configuration_passes_check(prefix):
    done = subprocess.run(
        [prefix / "bin/ringmaster", "check", "-c", prefix / "etc/ringmaster/ringmaster.toml"],
        cwd="/", capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


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
    """10 is not at all; 1.5 is what is left for a server with clients and upstreams anywhere."""
    unit = prefix / "lib/systemd/system/ringmaster.service"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", unit],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_staged_installation_does_not_name_the_stage(root, build, tmp_path):
    make_install(root, build, DESTDIR=tmp_path, PREFIX="/usr")
    files = files_below(tmp_path)
    assert {"usr/bin/ringmaster", "etc/ringmaster/ringmaster.toml"} <= set(files)
    for file in files:
        if not file.endswith((".so", "bin/ringmaster", ".ubj")):
            assert str(tmp_path) not in (tmp_path / file).read_text(), file


def test_own_configuration_is_kept(root, build, tmp_path):
    make_install(root, build, DESTDIR="", PREFIX=tmp_path)
    config = tmp_path / "etc/ringmaster/ringmaster.toml"
    config.write_text("# mine\n")
    output = make_install(root, build, DESTDIR="", PREFIX=tmp_path)
    assert config.read_text() == "# mine\n"
    assert f"kept {config}" in output


def test_uninstalling_removes_all_that_was_installed(root, build, tmp_path):
    make_install(root, build, DESTDIR=tmp_path, PREFIX="/usr")
    output = make_uninstall(root, build, DESTDIR=tmp_path, PREFIX="/usr")
    assert files_below(tmp_path) == []
    assert not list(tmp_path.rglob("ringmaster*"))
    assert "kept" not in output


def test_uninstalling_keeps_what_is_the_operators(root, build, tmp_path):
    make_install(root, build, DESTDIR="", PREFIX=tmp_path)
    config = tmp_path / "etc/ringmaster/ringmaster.toml"
    config.write_text("# mine\n")
    (tmp_path / "lib/ringmaster/handlers/mine.so").touch()
    output = make_uninstall(root, build, DESTDIR="", PREFIX=tmp_path)
    assert files_below(tmp_path) == ["etc/ringmaster/ringmaster.toml",
                                     "lib/ringmaster/handlers/mine.so"]
    assert config.read_text() == "# mine\n"
    assert f"kept {config}" in output


def test_uninstalling_what_is_not_installed_does_nothing(root, build, tmp_path):
    make_uninstall(root, build, DESTDIR=tmp_path, PREFIX="/usr")
    assert list(tmp_path.iterdir()) == []


def test_relative_prefix_is_refused(root, build):
    done = subprocess.run(["scripts/install.sh", build, "", "opt"], cwd=root, capture_output=True,
                          text=True)
    assert done.returncode == 64
    assert "'opt'" in done.stderr
