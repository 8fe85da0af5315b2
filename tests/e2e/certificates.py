"""Certificates for the tests, made by the openssl program; a client that speaks TLS."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from client import Client


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


class TlsClient(Client):
    def __init__(self, address: str, ca: Certificate, own: Certificate | None = None, **options):
        super().__init__(address.removeprefix("tls://"))
        context = ssl.create_default_context(cafile=str(ca.file))
        for name, value in options.items():
            setattr(context, name, value)
        if own:
            context.load_cert_chain(str(own.file), str(own.key))
        self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")
