"""The CPU half of aiohttp_flask: a Flask application for gunicorn that only computes.

POST /METHOD with the body that was fetched, and the params in a header; where nothing is fetched
the body is the params. Answers 200 with the result, 422 with {"code", "message"}. Environment:
MODEL.
"""

import os
import sys

import rpc
import ujson
import work
from flask import Flask, Response, request

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = rpc.REQUEST_BYTES_MAX
work.load(os.environ["MODEL"])


@app.post("/<name>")
def compute(name: str) -> Response:
    body = request.get_data(cache=False)
    try:
        method = work.find(name)
        params = ujson.loads(request.headers["X-Params"] if method.does_fetch else body)
        return Response(method.run(params, body), mimetype="application/json")
    except rpc.RpcError as error:
        told = rpc.dumps({"code": error.code, "message": error.message})
        return Response(told, 422, mimetype="application/json")


# One write, because other workers write this line at the same time.
sys.stderr.write(f"ready pid={os.getpid()}\n")
