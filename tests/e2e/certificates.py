"""Certificates for the tests, made by the openssl program."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class Certificate:
    file: Path
    key: Path

    def listen(self, client_ca: "Certificate | None" = None) -> dict:
        """What [listen] takes to serve with it at one address."""
        found = {
            "rpc": ["tls://127.0.0.1:0"],
            "tls_certificate_file": self.file,
            "tls_key_file": self.key,
        }
        return found | ({"tls_client_ca_file": client_ca.file} if client_ca else {})


def make_certificate(folder: Path, name: str, ca: Certificate | None = None) -> Certificate:
    """For 127.0.0.1. Signed by `ca`, else by itself: it may then sign others."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", f"/CN={name}", "-out", made.file]
    command += ["-keyout", made.key]
    if ca is None:
        command += ["-addext", "basicConstraints=critical,CA:TRUE"]
    else:
        command += ["-CA", ca.file, "-CAkey", ca.key]
        command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """made("name", ca=None): a certificate, made once."""
    folder = tmp_path_factory.mktemp("certificates")
    known: dict[str, Certificate] = {}

    def make(name: str, ca: Certificate | None = None) -> Certificate:
        if name not in known:
            known[name] = make_certificate(folder, name, ca)
        return known[name]

    return make


@pytest.fixture
def ca(made):
    return made("ca")


@pytest.fixture
def own(made, ca):
    return made("server", ca)
