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


HERE = "IP:127.0.0.1,IP:::1,DNS:localhost"


def make_certificate(folder: Path, name: str, ca: Certificate | None = None,
                     names: str = HERE) -> Certificate:
    """Signed by `ca`, else by itself: it may then sign others."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", f"/CN={name}", "-out", made.file]
    command += ["-keyout", made.key]
    if ca is None:
        command += ["-addext", "basicConstraints=critical,CA:TRUE"]
    else:
        command += ["-CA", ca.file, "-CAkey", ca.key]
        command += ["-addext", f"subjectAltName={names}"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return made


def make_expired(folder: Path, name: str, ca: Certificate) -> Certificate:
    """Since yesterday."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    asked = folder / f"{name}.csr"
    command = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName={HERE}", "-keyout", made.key, "-out", asked]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    command = ["openssl", "x509", "-req", "-in", asked, "-copy_extensions", "copy", "-days", "-1"]
    command += ["-CA", ca.file, "-CAkey", ca.key, "-out", made.file]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """made("name", ca=None, names=HERE): a certificate, made once."""
    folder = tmp_path_factory.mktemp("certificates")
    known: dict[str, Certificate] = {}

    def make(name: str, ca: Certificate | None = None, names: str = HERE) -> Certificate:
        if name not in known:
            known[name] = make_certificate(folder, name, ca, names)
        return known[name]

    return make


@pytest.fixture
def ca(made):
    return made("ca")


@pytest.fixture
def own(made, ca):
    return made("server", ca)
