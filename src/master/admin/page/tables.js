// The page's tables, from the history of /status.json.

import { count, quantile, sums, upstreamsOf } from "./data.js";
import { element, fillTable, setText } from "./dom.js";
import { bytes, duration, errorText, methodText, percent, rate } from "./text.js";

const name = (text) => ({ text, title: text, className: "name" });
const at = (id) => document.getElementById(id);

function problemRate(number, seconds, className) {
  return { text: rate(number / seconds), className: number > 0 ? className : "none" };
}

function stageText(its, boundsMs) {
  const stages = [
    ...Object.entries(its.fetch).map(([upstream, one]) => [`fetch ${upstream}`, one.took]),
    ["queue", its.queue],
    ["run", its.run],
  ];
  return stages
    .filter(([, histogram]) => count(histogram) > 0)
    .map(([title, histogram]) => `${title} ${duration(quantile(histogram, boundsMs, 0.5))}`)
    .join(" · ");
}

function errorsText(its) {
  return its.errors.map((one) => `${one.count} × ${errorText(one.code, one.reason)}`).join(", ");
}

function showMethods(window) {
  const columns = [
    { title: "Method", className: "name" },
    { title: "Requests/s" },
    { title: "OK/s" },
    { title: "Refused/s" },
    { title: "Failed/s" },
    { title: "p50" },
    { title: "p95" },
    { title: "p99" },
    { title: "Median by stage", className: "text wide" },
    { title: "Errors", className: "text wide" },
  ];
  const rows = Object.entries(window.methods).map(([method, its]) => {
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) =>
      duration(quantile(its.total, window.boundsMs, share)),
    );
    return [
      name(methodText(method)),
      rate(its.offered / window.seconds),
      rate(its.ok / window.seconds),
      problemRate(its.refused, window.seconds, "warn"),
      problemRate(its.failed + its.bad, window.seconds, "bad"),
      p50,
      p95,
      p99,
      stageText(its, window.boundsMs),
      errorsText(its),
    ];
  });
  fillTable(at("methods"), columns, rows, "no request yet");
}

function showUpstreams(now, window) {
  const columns = [
    { title: "Upstream", className: "name" },
    { title: "Fetches/s" },
    { title: "Failed" },
    { title: "p50" },
    { title: "p99" },
    { title: "In flight" },
    { title: "Waiting" },
    { title: "Connections" },
    { title: "Breaker", className: "text" },
    { title: "Ejected" },
    { title: "From the cache" },
    { title: "Failures", className: "text wide" },
  ];
  const fetches = upstreamsOf(window);
  const rows = now.upstreams.map((one) => {
    const its = fetches[one.name] ?? { took: { sum_ms: 0, counts: [] }, failed: {} };
    const all = count(its.took);
    const failed = Object.values(its.failed).reduce((sum, number) => sum + number, 0);
    return [
      name(one.name),
      rate(all / window.seconds),
      { text: all ? percent(failed / all) : "–", className: failed > 0 ? "bad" : "none" },
      duration(quantile(its.took, window.boundsMs, 0.5)),
      duration(quantile(its.took, window.boundsMs, 0.99)),
      String(one.in_flight),
      { text: String(one.waiting), className: one.waiting > 0 ? "warn" : "none" },
      String(one.connections),
      { text: one.breaker_open ? "open" : "–", className: one.breaker_open ? "bad" : "none" },
      {
        text: `${one.ejected} of ${one.addresses}`,
        className: one.ejected > 0 ? "warn" : "none",
      },
      one.name in window.cachedParts ? percent(window.cachedParts[one.name]) : "–",
      Object.entries(its.failed)
        .map(([reason, number]) => `${number} × ${reason}`)
        .join(", "),
    ];
  });
  fillTable(at("upstreams"), columns, rows, "the configuration has none");
}

const STATES = { backing_off: "backing off after crashes", stopped: "stopped by a signal" };
const BAD_STATES = new Set(["backing_off", "stopped"]);

function showWorkers(now) {
  const columns = [
    { title: "Worker" },
    { title: "PID" },
    { title: "State", className: "text" },
    { title: "Runs now", className: "text name" },
    { title: "For" },
    { title: "Last progress" },
    { title: "Jobs" },
    { title: "Memory since fork" },
    { title: "CPU" },
    { title: "Age" },
    { title: "Restarts" },
  ];
  const rows = now.workers.map((one) => [
    String(one.slot),
    one.pid ? String(one.pid) : "–",
    { text: STATES[one.state] ?? one.state, className: BAD_STATES.has(one.state) ? "bad" : "" },
    { ...name(one.method === "" ? "–" : one.method) },
    one.method === ""
      ? "–"
      : { text: duration(one.busy_for_ms), className: one.busy_for_ms > 5000 ? "warn" : "" },
    `${duration(one.last_progress_ms)} ago`,
    String(one.jobs),
    bytes(one.private_bytes),
    duration(1000 * one.cpu_s),
    duration(1000 * one.age_s),
    { text: String(one.ends), className: one.ends > 0 ? "warn" : "none" },
  ]);
  fillTable(at("workers"), columns, rows, "no worker");
  const ends = Object.entries(now.worker_ends).map(([reason, times]) => `${times} × ${reason}`);
  setText(at("ends"), ends.length ? `Ends of workers since the start: ${ends.join(", ")}` : "");
}

// "–": the client was not listed before.
function ratesOf({ seconds, ok, refused }) {
  if (seconds === 0) return ["–", "–"];
  return [rate(ok / seconds), problemRate(refused, seconds, "warn")];
}

function showClients(now, counts) {
  const columns = [
    { title: "Client", className: "name" },
    { title: "Part of the workers' time" },
    { title: "Weight" },
    { title: "OK/s" },
    { title: "Refused/s" },
    { title: "In flight" },
    { title: "Payload memory" },
  ];
  const rows = [...now.clients]
    .sort((one, other) => other.used - one.used)
    .slice(0, 50)
    .map((one) => [
      name(one.name),
      percent(one.used),
      String(one.weight),
      ...ratesOf(counts[one.name]),
      String(one.in_flight),
      bytes(one.memory_bytes),
    ]);
  fillTable(at("clients"), columns, rows, "no client has requests");
}

function showServer(now) {
  const line = (title, used, limit, text) => [
    title,
    text(used),
    text(limit),
    {
      text: limit ? percent(used / limit) : "–",
      className: limit && used >= 0.9 * limit ? "warn" : "",
    },
  ];
  const connections = Object.values(now.connections).reduce((sum, one) => sum + one, 0);
  fillTable(
    at("limits"),
    [{ title: "Limit" }, { title: "Used" }, { title: "Of" }, { title: "Share" }],
    [
      line("Requests in flight", now.in_flight, now.in_flight_limit, String),
      line("Payload memory", now.payload_bytes, now.payload_limit_bytes, bytes),
      line("Connections", connections, now.connections_limit, String),
      line("Descriptors", now.descriptors, now.descriptors_limit, String),
      ["Memory of the master", bytes(now.resident_bytes), "–", "–"],
      ["Buffers of connections", bytes(now.connection_bytes), "–", "–"],
    ],
  );
  fillTable(
    at("generations"),
    [{ title: "Generation" }, { title: "State", className: "text" }, { title: "In flight" }],
    now.deployments.map((one) => [String(one.generation), one.state, String(one.in_flight)]),
    "none serves",
  );
}

const isUp = (worker) => ["idle", "busy"].includes(worker.state);

function showFigures(now, window) {
  const all = sums(window);
  const per = (number) => rate(number / window.seconds);
  const figures = [
    ["Requests/s", per(all.offered)],
    ["OK/s", per(all.ok)],
    ["Refused/s", per(all.refused)],
    ["Failed/s", per(all.failed + all.bad)],
    ["In flight", String(now.in_flight)],
    ["Wait for a worker", String(now.queued)],
    ["Workers busy", percent(window.busyShare)],
    ["Workers up", `${now.workers.filter(isUp).length} of ${now.workers_wanted}`],
  ];
  const list = at("figures");
  if (list.children.length === 0) {
    list.append(
      ...figures.map(([title]) =>
        element("div", {}, element("dt", { textContent: title }), element("dd")),
      ),
    );
  }
  figures.forEach(([, text], i) => setText(list.children[i].lastElementChild, text));
}

export function showTables(history) {
  const now = history.last();
  showWorkers(now);
  showClients(now, history.clientCounts(10));
  showServer(now);
  const window = history.window(10);
  if (!window) return;
  showFigures(now, window);
  showMethods(window);
  showUpstreams(now, window);
}
