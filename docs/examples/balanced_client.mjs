// Calls several ringmaster servers. Each request goes to the server that should be done first.
//
//     const client = new BalancedClient(["10.0.0.11:7070", "10.0.0.12:7070", "10.0.0.13:7070"]);
//     const result = await client.call("interests.predict", { user_id: 42 });
//     client.close();
//
// Copy this file into your program: it needs nothing but Node.js 18. See docs/load-balancing.md.

import { setMaxListeners } from "node:events";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const CONNECT_MS = 1000; // the time to connect
const PAUSE_MS = 1000; // of a server that cannot be reached, or refuses and does not say how long
const LATE_MS = 20; // after the quoted p99
const UNKNOWN_MS = 1e6; // expected, for each request in flight, of a server without a quote
const RETRY_SHARE = 0.1, RETRIES_MAX = 5; // one request in ten may be sent again, and five at once
const TRY_RETRIES = 3; // that must be left before a server without quotes is tried
const CLOSED = "the client was closed";

// The error of a response, with its members.
export class RpcError extends Error {
  constructor({ code, message, data = {} }) {
    super(message);
    Object.assign(this, { code, data });
  }
}

// There was no connection: nothing was sent.
export class Unreachable extends Error {
  data = { retryable: true, executed: false };
}

// A server, the connection to it, which is kept, and its last quotes.
class Server {
  readyAt = 0; // it gets no request before
  quotes = new Map(); // method -> { p50, p99, inFlight: then, givenAt }
  #waiting = new Map(); // id -> { resolve, reject, sentAt, lateAt } of requests in flight, by age
  #connection = null; // a promise
  #socket = null; // of that connection

  constructor(address) {
    this.address = address;
  }

  // The quote, more if more requests are in flight since. It loses half of its weight in each
  // second, so that a server that was slow is asked again. Once the oldest request takes longer
  // than was promised, the time that it has taken counts instead if that is more.
  expectedMs(method) {
    const quote = this.quotes.get(method);
    if (!quote) return UNKNOWN_MS * this.#waiting.size;
    const now = performance.now();
    const [oldest] = this.#waiting.values();
    const silent = oldest !== undefined && now > oldest.lateAt ? now - oldest.sentAt : 0;
    const ms = Math.max(quote.p50 * 0.5 ** ((now - quote.givenAt) / 1000), silent);
    return ms * (this.#waiting.size + 1) / quote.inFlight;
  }

  isIdle() {
    return this.#waiting.size === 0;
  }

  pause(ms) {
    this.readyAt = performance.now() + ms;
    this.quotes.clear();
  }

  // The response. An error that is not Unreachable: the request may have been executed.
  async ask(method, request, timeoutMs) {
    const p99 = this.quotes.get(method)?.p99 ?? Infinity;
    const sentAt = performance.now(), lateAt = sentAt + p99 + LATE_MS;
    const answer = new Promise((resolve, reject) =>
      this.#waiting.set(request.id, { resolve, reject, sentAt, lateAt }));
    answer.catch(() => {}); // it is not awaited if there is no connection
    let timer;
    try {
      const socket = await (this.#connection ??= this.#connect());
      // After the timeout the server is cut off, or it would have answered -32012.
      timer = setTimeout(() => socket.destroy(), timeoutMs);
      socket.write(`${JSON.stringify(request)}\n`);
      const response = await answer;
      const quote = response._meta?.quote_ms;
      const inFlight = this.#waiting.size; // this request, too, in place of the next one
      if (quote) this.quotes.set(method, { ...quote, inFlight, givenAt: performance.now() });
      return response;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(request.id);
    }
  }

  close() {
    this.#fail(CLOSED);
    this.#socket?.destroy();
  }

  #fail(why) {
    for (const { reject } of this.#waiting.values()) reject(new Error(why));
  }

  #connect() {
    const colon = this.address.lastIndexOf(":");
    const socket = createConnection(
      { host: this.address.slice(0, colon), port: +this.address.slice(colon + 1), noDelay: true });
    this.#socket = socket;
    const timer = setTimeout(() => socket.destroy(), CONNECT_MS);
    createInterface({ input: socket }).on("line", (line) => {
      try {
        const response = JSON.parse(line);
        this.#waiting.get(response.id)?.resolve(response);
      } catch {
        socket.destroy(); // the server ended within a response
      }
    }).on("error", () => {});
    return new Promise((resolve, reject) => {
      socket.on("error", () => {}); // "close" follows
      socket.on("connect", () => {
        clearTimeout(timer);
        resolve(socket);
      });
      socket.on("close", () => {
        clearTimeout(timer);
        this.#connection = null;
        this.quotes.clear();
        reject(new Unreachable(`${this.address}: no connection`));
        this.#fail(`${this.address}: the connection ended`);
      });
    });
  }
}

export class BalancedClient {
  #lastId = 0;
  #retries = RETRIES_MAX;
  #closing = new AbortController();

  constructor(addresses) {
    this.servers = addresses.map((address) => new Server(address));
    setMaxListeners(0, this.#closing.signal); // one for each call that waits for a server
  }

  // Closes the connections. Calls in flight, which may have been executed, fail, and so do later
  // calls.
  close() {
    this.#closing.abort();
    for (const server of this.servers) server.close();
  }

  // The result, or RpcError. Other errors, except Unreachable: it may have been executed.
  async call(method, params, timeoutMs = 10_000) {
    const deadline = performance.now() + timeoutMs;
    const { signal } = this.#closing;
    this.#retries = Math.min(this.#retries + RETRY_SHARE, RETRIES_MAX);
    for (let failure = new Unreachable("no server takes requests before the timeout");;) {
      const server = this.#choose(method);
      if (server.readyAt > deadline && !signal.aborted) throw failure;
      const pausedMs = server.readyAt - performance.now();
      if (pausedMs > 0) await sleep(pausedMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) throw new Error(CLOSED);
      const leftMs = deadline - performance.now();
      const meta = { quote: true, timeout_ms: Math.max(1, Math.floor(leftMs)) };
      const request = { jsonrpc: "2.0", id: ++this.#lastId, method,
        params: { ...params, _meta: meta } };
      try {
        const { result, error } = await server.ask(method, request, leftMs + 1000);
        if (!error) return result;
        failure = new RpcError(error);
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        failure = error;
      }
      const { executed, retryable, retry_after_ms: pauseMs = PAUSE_MS } = failure.data;
      if (executed !== false || !retryable) throw failure;
      server.pause(pauseMs);
      if (this.#retries < 1) throw failure;
      this.#retries -= 1;
    }
  }

  // The better of two at random. A server without quotes, which may refuse, is tried with one
  // request at a time, while retries are left. If none is ready: the first that will be.
  #choose(method) {
    const now = performance.now(), mayTry = this.#retries >= TRY_RETRIES;
    const ready = this.servers.filter((server) =>
      server.readyAt <= now && (server.quotes.size > 0 || (mayTry && server.isIdle())));
    if (ready.length === 0) {
      const order = (a, b) => Math.max(now, a.readyAt) - Math.max(now, b.readyAt) ||
        a.expectedMs(method) - b.expectedMs(method);
      return [...this.servers].sort(order)[0];
    }
    const first = ready.splice(Math.floor(Math.random() * ready.length), 1)[0];
    const second = ready[Math.floor(Math.random() * ready.length)] ?? first;
    return second.expectedMs(method) < first.expectedMs(method) ? second : first;
  }
}
