import pytest, vectors
from vectors import CONTRACT, SPECIFICATION, Vector, BAD_JSON
@pytest.mark.parametrize("n", range(60))
def test_x(server, n, probe):
    r = server(limits={"batch_items": vectors.BATCH_ITEMS}, handlers=vectors.handlers(probe))
    for v in [*SPECIFICATION, *CONTRACT, *BAD_JSON]:
        with r.connect() as client:
            client.call("echo", ["before"])
            client.send(v.message + b"\n")
            if v.answer is not None: client.read()
            if n % 2: client.call("echo", ["after"])
