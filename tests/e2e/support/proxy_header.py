"""proxy_header: the header of the PROXY protocol, version 2, as balancers send it."""

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
TCP4, TCP6, UNIX = 0x11, 0x21, 0x31


def header(command: int, family: int, addresses: bytes, tlvs: bytes = b"") -> bytes:
    length = len(addresses) + len(tlvs)
    return SIGNATURE + struct.pack("!BBH", command, family, length) + addresses + tlvs


def proxy_header(client: str, port: int = 40000, tlvs: bytes = b"") -> bytes:
    """The header of a connection from `client`, an IPv4 or IPv6 address."""
    source = ipaddress.ip_address(client)
    destination = bytes(len(source.packed))
    addresses = source.packed + destination + struct.pack("!HH", port, 7070)
    return header(PROXY, TCP4 if source.version == 4 else TCP6, addresses, tlvs)
