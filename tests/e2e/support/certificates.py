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
        """The [listen] section that serves with this certificate at one address."""
        found = {
            "rpc": ["tls://127.0.0.1:0"],
            "tls_certificate_file": self.file,
            "tls_key_file": self.key,
        }
        return found | ({"tls_client_ca_file": client_ca.file} if client_ca else {})


def with_key(certificate: Certificate, folder: Path) -> Path:
    """One file with the certificate and its key, as HAProxy reads it."""
    both = folder / "certificate_and_key.pem"
    both.write_text(certificate.file.read_text() + certificate.key.read_text())
    return both


HERE = "IP:127.0.0.1,IP:::1,DNS:localhost"


ELLIPTIC = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def make_certificate(folder: Path, name: str, ca: Certificate | None = None,
                     names: str = HERE, kind: tuple[str, ...] = ELLIPTIC) -> Certificate:
    """A certificate that `ca` has signed. Without `ca` it is self-signed, and may sign others."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    command = ["openssl", "req", "-x509", "-newkey", *kind]
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
    """A certificate that expired yesterday."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    asked = folder / f"{name}.csr"
    command = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName={HERE}", "-keyout", made.key, "-out", asked]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    command = ["openssl", "x509", "-req", "-in", asked, "-copy_extensions", "copy", "-days", "-1"]
    command += ["-CA", ca.file, "-CAkey", ca.key, "-out", made.file]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return made


REVOKE = """[ca]
default_ca = this
[this]
database = {index}
default_md = sha256
"""


def make_crl(folder: Path, name: str, ca: Certificate, revoked: list[Certificate],
             current: bool = True) -> Path:
    """A CRL of the certificates that `ca` has revoked. Unless `current`, it expired years ago."""
    made, index, config = (folder / f"{name}.{end}" for end in ("crl", "index", "cnf"))
    index.write_text("")
    config.write_text(REVOKE.format(index=index))
    command = ["openssl", "ca", "-config", config, "-cert", ca.file, "-keyfile", ca.key]
    dates = ["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate",
             "20990101000000Z" if current else "20200102000000Z"]
    revoking = [["-revoke", one.file] for one in revoked]
    for arguments in [*revoking, ["-gencrl", *dates, "-out", made]]:
        subprocess.run([*command, *arguments], check=True, capture_output=True, timeout=30)
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
