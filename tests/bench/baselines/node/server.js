// node_piscina: an http server, and a piscina pool of worker threads for the CPU work.
//
//   node server.js FEATURES_URL WORKERS TIMEOUT_MS IN_FLIGHT_MAX
//
// JSON-RPC 2.0, single requests: echo, burn, fetch_burn. A job that waits longer than TIMEOUT_MS is
// answered with -32012, and a request beyond IN_FLIGHT_MAX (0: no limit) with -32009. Prints
// "listening address=HOST:PORT" when it is ready.
import { createServer } from "node:http";
import { Piscina } from "piscina";
import { Pool } from "undici";

const [featuresUrl, workers, timeoutMs, inFlightMax] = process.argv.slice(2);
const REQUEST_BYTES_MAX = 32 << 20;
const FETCH_CONNECTIONS = 256; // ringmaster's default, as is the next
const FETCH_TIMEOUT_MS = 1000;
const KEEP_ALIVE_MS = 75_000;
const METHODS = { echo: { job: "echo" }, burn: { job: "burn" },
                  fetch_burn: { job: "burn", fetches: true } };

const url = new URL(featuresUrl);
const upstream = new Pool(url.origin, { connections: FETCH_CONNECTIONS,
                                        headersTimeout: FETCH_TIMEOUT_MS,
                                        bodyTimeout: FETCH_TIMEOUT_MS });
const pool = new Piscina({ filename: new URL("worker.js", import.meta.url).href,
                           minThreads: Number(workers), maxThreads: Number(workers) });
let inFlight = 0;

class RpcError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

async function readBody(request) {
  const pieces = [];
  let size = 0;
  for await (const piece of request) {
    size += piece.length;
    if (size > REQUEST_BYTES_MAX) throw new RpcError(-32007, "the request is too large");
    pieces.push(piece);
  }
  return pieces.length === 1 ? pieces[0].toString() : Buffer.concat(pieces).toString();
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch (fault) {
    throw new RpcError(-32700, fault.message);
  }
}

async function fetchUser(params) {
  if (params?.user_id === undefined) throw new RpcError(-32602, "user_id: missing");
  try {
    const response = await upstream.request({
      method: "POST", path: url.pathname, headers: { "content-type": "application/json" },
      body: JSON.stringify({ user_id: params.user_id }),
    });
    const body = await response.body.text();
    if (response.statusCode === 200) return body;
    throw new Error(`status ${response.statusCode}`);
  } catch (fault) {
    throw new RpcError(-32015, `upstream: ${fault.message}`);
  }
}

async function perform(name, params) {
  const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (!method) throw new RpcError(-32601, `no method ${name}`);
  if (Number(inFlightMax) && inFlight >= Number(inFlightMax)) {
    throw new RpcError(-32009, "too many requests");
  }
  const deadline = Date.now() + Number(timeoutMs);
  ++inFlight;
  try {
    const body = method.fetches ? await fetchUser(params) : undefined;
    // No abort signal: on it, Piscina would end the thread that has begun the job.
    const done = await pool.run({ params, body, deadline }, { name: method.job });
    if (done.error) throw new RpcError(done.error.code, done.error.message);
    return done.result;
  } finally {
    --inFlight;
  }
}

async function answer(request) {
  let id = null;
  try {
    const asked = parse(await readBody(request));
    if (asked?.jsonrpc !== "2.0") throw new RpcError(-32600, "expected one JSON-RPC 2.0 request");
    id = asked.id ?? null;
    const result = await perform(asked.method, asked.params);
    return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`;
  } catch (fault) {
    const error = { code: fault instanceof RpcError ? fault.code : -32603, message: fault.message };
    return JSON.stringify({ jsonrpc: "2.0", id, error });
  }
}

const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, async (request, response) => {
  const text = Buffer.from(await answer(request));
  response.writeHead(200, { "content-type": "application/json", "content-length": text.length });
  response.end(text);
});
process.on("SIGTERM", () => process.exit(0));
server.listen({ host: "127.0.0.1", port: 0, backlog: 2048 }, () => {
  console.error(`listening address=127.0.0.1:${server.address().port}`);
});
