"""Writes sessions files in the format of the MSNBC data."""

import gzip

from feature_client import CATEGORIES

HEADER = (
    "% Different categories found in input file:\r\n\r\n"
    + " ".join(CATEGORIES)
    + "\r\n\r\n\r\n% Sequences:\r\n\r\n"
)


def write_sessions(folder, text, packed=False):
    path = folder / ("some.seq.gz" if packed else "some.seq")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path
