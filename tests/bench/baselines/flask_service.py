"""flask_gunicorn, flask_threads: a Flask application for gunicorn; each request is done from its
beginning to its end by one thread of one process.

Environment: FEATURES_URL, MODEL, THREADS (of a process, and its connections to the upstream).
"""

import os
import sys

import rpc
import urllib3
import work
from flask import Flask, Response, request

TIMEOUT_S = 1.0  # for the upstream, as it is ringmaster's default
HEADERS = {"Content-Type": "application/json"}

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = rpc.REQUEST_BYTES_MAX
work.load(os.environ["MODEL"])
# Not the package `requests`, which is built on urllib3 and does more work around each request.
upstream = urllib3.PoolManager(maxsize=int(os.environ["THREADS"]), timeout=TIMEOUT_S, retries=False)


def fetch(body: bytes) -> bytes:
    try:
        response = upstream.request("POST", os.environ["FEATURES_URL"], body=body, headers=HEADERS)
    except urllib3.exceptions.HTTPError as fault:
        raise rpc.RpcError(rpc.UPSTREAM_FAILED, str(fault)) from None
    if response.status != 200:
        raise rpc.RpcError(rpc.UPSTREAM_FAILED, f"upstream: status {response.status}")
    return response.data


@app.post("/rpc")
def serve() -> Response:
    id = None
    try:
        id, name, params = rpc.read(request.get_data(cache=False))
        method = work.find(name)
        body = fetch(work.wanted_user(params)) if method.does_fetch else None
        text = rpc.answer(id, method.run(params, body))
    except rpc.RpcError as error:
        text = rpc.failure(id, error)
    return Response(text, mimetype="application/json")


# One write, because other workers write this line at the same time.
sys.stderr.write(f"ready pid={os.getpid()}\n")
