"""The feature service as a command: signals, exit codes, and errors at the start."""

import signal

import pytest
from feature_client import request_bytes
from sessions_file import HEADER, write_sessions


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_whatever_is_under_way(feature_service, number):
    service = feature_service("--delay-ms", 60_000)
    faults = ("none", "hang", "slow-drip", "huge")
    socks = [service.socket() for _ in faults]
    for sock, fault in zip(socks, faults):
        sock.sendall(request_bytes(42, f"X-Fault: {fault}"))
    # The service reads requests in the order in which they came: it has read the others by now.
    assert service.post("{")[0] == 400
    assert service.process.stop(number, timeout=5) == 0
    service.process.wait_for_line("event=stopped requests=5")
    for sock in socks:
        sock.close()


@pytest.mark.parametrize(
    "options, code, message",
    [
        (["--dleay-ms", "5"], 64, r"--dleay-ms; did you mean --delay-ms\?"),
        (["--session=x"], 64, r"--session; did you mean --sessions\?"),
        (["extra"], 64, "unknown argument extra"),
        (["--delay-ms", "-1"], 64, "--delay-ms"),
        (["--delay-ms", "soon"], 64, "--delay-ms"),
        (["--delay-ms"], 64, "--delay-ms"),
        (["--fail-rate", "1.5"], 64, "--fail-rate"),
        (["--fail-rate", "nan"], 64, "at most 1"),
        (["--fail-rate", "0.6", "--hang-rate", "0.6"], 64, "at most 1, found 1.2"),
        (["--delay-distribution", "unifrom"], 64, "unifrom; did you mean uniform"),
        (["--drip-ms", "0"], 64, "--drip-ms"),
        (["--listen", "7080"], 64, "expected HOST:PORT"),
        (["--listen", "127.0.0.1:70800"], 64, "from 0 to 65535"),
        (["--listen", "127.0.0.1:"], 64, "expected HOST:PORT"),
        (["--listen", "192.0.2.1:0"], 71, "192.0.2.1:0: Cannot assign requested address"),
        (["--sessions", "/nonexistent.seq"], 78, "/nonexistent.seq: No such file"),
        (["--sessions", "/"], 78, "sessions file /"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_option_is_named(build, start, options, code, message):
    process = start([build / "feature_service", *options])
    assert process.wait() == code
    process.wait_for_line(message)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "% Sequences"),
        (HEADER, "expected sequences"),
        ("1 2 3\n", ":1: expected a header line"),
        (HEADER + "1 2\n18\n", ":9: expected category numbers"),
        (HEADER + "1 2\n0\n", ":9: expected category numbers"),
        (HEADER + "1 -2\n", ":8: expected category numbers"),
        (HEADER + "1 2x\n", ":8: expected category numbers"),
        (HEADER + "99999999999999999999\n", ":8: expected category numbers"),
        ("% Sequences:\n1 2\n", ":1: expected a line"),
        (HEADER.replace("frontpage", "homepage") + "1\n", "expected a header line"),
    ],
)
def test_a_file_of_another_format_is_refused(build, start, tmp_path, text, message):
    path = write_sessions(tmp_path, text)
    process = start([build / "feature_service", "--listen", "127.0.0.1:0", "--sessions", path])
    assert process.wait() == 78
    process.wait_for_line(message)


def test_a_damaged_gzip_file_is_refused(build, start, tmp_path):
    path = write_sessions(tmp_path, HEADER + "1 2 3 4 5 6 7\n2 17 9\n" * 5000, packed=True)
    path.write_bytes(path.read_bytes()[:-20])
    process = start([build / "feature_service", "--listen", "127.0.0.1:0", "--sessions", path])
    assert process.wait() == 78
    process.wait_for_line("unexpected end of file")


def test_a_port_in_use_is_71(feature_service, build, start):
    taken = feature_service().address
    process = start([build / "feature_service", "--listen", taken], name="second")
    assert process.wait() == 71
    process.wait_for_line(f"listen on {taken}: Address already in use")


def test_help_names_every_option(build, start):
    process = start([build / "feature_service", "--help"])
    assert process.wait() == 0
    text = "\n".join(process.output)
    for option in "listen sessions events delay-ms delay-distribution fail-rate seed".split():
        assert f"--{option}" in text
    assert "X-Fault" in text
