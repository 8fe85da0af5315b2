// The pure functions of the status page: they find problems, and the places of the requests' bars.
// test_status_page.py runs this with node, beside a copy of the page's files.

import assert from "node:assert/strict";
import { test } from "node:test";

import { between, History, quantile } from "./data.js";
import { problems } from "./diagnosis.js";
import { outcomeOf, RecentRequests, rowsOf, stagesOf } from "./requests.js";
import { bytes, duration, percent } from "./text.js";

const BOUNDS_MS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

// `times`: {ms: how many}
function histogram(times = {}) {
  const counts = Array(BOUNDS_MS.length + 1).fill(0);
  let sum_ms = 0;
  for (const [ms, number] of Object.entries(times)) {
    const bucket = BOUNDS_MS.findIndex((bound) => ms <= bound);
    counts[bucket < 0 ? BOUNDS_MS.length : bucket] += number;
    sum_ms += ms * number;
  }
  return { sum_ms, counts };
}

function method(more = {}) {
  return {
    admitted: 0, ok: 0, abandoned: 0, lost: 0, errors: [], deadline_misses: {}, fetch: {},
    total: histogram(), queue: histogram(), run: histogram(), ...more,
  };
}

function worker(more = {}) {
  return {
    slot: 0, pid: 70, state: "idle", method: "", request: 0, busy_for_ms: 0, age_s: 100, private_bytes: 0,
    cpu_s: 0, ends: 0, jobs: 0, busy_s: 0, last_progress_ms: 0, ...more,
  };
}

function answer(s, more = {}) {
  return {
    now_ns: s * 1e9, uptime_s: s, pid: 7, status: "serving", ready: true, problems: [],
    in_flight: 0, in_flight_limit: 100, queued: 0, payload_bytes: 0, payload_limit_bytes: 1000,
    connections: {}, connections_limit: 100, descriptors: 10, descriptors_limit: 100,
    workers_wanted: 1, bounds_ms: BOUNDS_MS, methods: {}, workers: [worker()], worker_ends: {},
    clients: [], upstreams: [], deployments: [], ...more,
  };
}

function historyOf(...answers) {
  const history = new History();
  answers.forEach((one) => history.add(one));
  return history;
}

function texts(...answers) {
  return problems(historyOf(...answers)).map((one) => one.text);
}

test("a server without load has no problem", () => {
  assert.deepEqual(texts(answer(100), answer(110)), []);
});

test("a server that works well has no problem", () => {
  const its = (count) => ({ score: method({ ok: count, total: histogram({ 20: count }),
    run: histogram({ 15: count }) }) });
  assert.deepEqual(
    texts(answer(100, { methods: its(1000) }), answer(110, { methods: its(2000) })), []);
});

test("a handler is slow if its runs take longer than before", () => {
  const before = method({ ok: 100, run: histogram({ 10: 100 }) });
  const after = method({ ok: 110, run: histogram({ 10: 100, 300: 10 }) });
  const [text] = texts(answer(100, { methods: { score: before } }),
    answer(110, { methods: { score: after } }));
  assert.match(text, /^score: its handler is slow: a run takes \d+ ms, \d+ times as long/);
});

test("a handler that was always slow is named as the stage with most of the time", () => {
  const its = (count) => ({ score: method({ ok: count, total: histogram({ 400: count }),
    run: histogram({ 380: count }), queue: histogram({ 3: count }) }) });
  const [text] = texts(answer(100, { methods: its(100) }), answer(110, { methods: its(200) }));
  assert.match(text, /^score is slow: it takes .* \(median\), 99 % of that is its handler$/);
});

test("the part of an upstream's fetches that its cache answered", () => {
  const asked = (cache) => ({ upstreams: [{ name: "users", cache }, { name: "other" }] });
  const before = answer(100, asked({ hit: 10, miss: 90, stale: 0, coalesced: 0 }));
  const now = answer(110, asked({ hit: 80, miss: 100, stale: 10, coalesced: 10 }));
  assert.deepEqual(between(now, before).cachedParts, { users: 0.8 });
  assert.deepEqual(between(now, null).cachedParts, { users: 0.45 });
  assert.deepEqual(between(now, now).cachedParts, {});
});

test("an upstream that got slow", () => {
  const its = (times) => ({ both: method({ fetch: { users: {
    took: histogram(times), failed: {} } } }) });
  const [text] = texts(answer(100, { methods: its({ 20: 100 }) }),
    answer(110, { methods: its({ 20: 100, 400: 50 }) }));
  assert.match(text, /^upstream users is slow: a fetch takes \d+ ms, \d+ times as long as before/);
});

test("what clients got is counted from the first answer that lists them", () => {
  const client = (name, ok, refused) => ({ name, weight: 1, used: 0, ok, refused });
  const history = historyOf(answer(100, { clients: [client("web", 100, 7)] }),
    answer(104, { clients: [client("web", 108, 7), client("batch", 500, 90)] }),
    answer(105), answer(106, { clients: [client("web", 112, 8), client("batch", 500, 95)] }));
  assert.deepEqual(history.clientCounts(10), { web: { seconds: 6, ok: 12, refused: 1 },
    batch: { seconds: 2, ok: 0, refused: 5 } });
});

test("a worker whose memory grows all the time, and not one that has just begun", () => {
  const grown = (bytesAt, more = () => ({})) => [...Array(12).keys()].map((i) =>
    answer(100 + i, { workers: [worker({ private_bytes: bytesAt(i) })], ...more(i) }));
  const grows = (i) => 1.2 * 2 ** 30 - (11 - i) * 10 * 2 ** 20;
  const leak = "worker 0 has taken 1.2 GiB since its fork, and grows by 10 MiB/s: a memory leak";
  assert.deepEqual(texts(...grown(grows)), [`${leak}?`]);
  const runs = (ms, count) => method({ run: histogram({ [ms]: count }) });
  const ran = (i) => ({ methods: { quick: runs(1, 60 * i), score: runs(30, 30 * i) } });
  assert.deepEqual(texts(...grown(grows, ran)), [`${leak} in score (94 % of the runs' time)?`]);
  assert.deepEqual(texts(...grown((i) => 50e6 * Math.min(i, 3))), []);
});

test("a frozen worker is told from one that computes", () => {
  const methods = { score: method({ run: histogram({ 20: 100 }) }) };
  const busy = (s, cpu_s) => answer(100 + s, { methods,
    workers: [worker({ method: "score", state: "busy", busy_for_ms: 1000 * s, cpu_s })] });
  const [frozen] = problems(historyOf(busy(2, 5), busy(12, 5)));
  assert.equal(frozen.level, "bad");
  assert.match(frozen.text, /^worker 0 has not progressed for 12 s and uses no CPU/);
  const [computes] = problems(historyOf(busy(2, 5), busy(12, 15)));
  assert.match(computes.text, /^worker 0 has run score for 12 s, with 100 % of a CPU/);
});

test("what the server says is shown, and problems of the level bad come first", () => {
  const said = [{ level: "bad", text: "not ready: stalled" },
    { level: "warn", text: "connections: 99 of 100 are used" }];
  const methods = { score: method({ run: histogram({ 20: 100 }) }) };
  const frozen = (s) => answer(100 + s, { methods, problems: said,
    workers: [worker({ method: "score", state: "busy", busy_for_ms: 1000 * s, cpu_s: 5 })] });
  const found = problems(historyOf(frozen(2), frozen(12)));
  assert.deepEqual(found.map((one) => one.level), ["bad", "bad", "warn"]);
  assert.deepEqual([found[0], found[2]], said);
  assert.match(found[1].text, /^worker 0 has not progressed/);
});

test("of a stopped worker the server has said it", () => {
  const stopped = answer(100, { workers: [worker({ method: "score", state: "stopped",
    busy_for_ms: 1500 })] });
  assert.deepEqual(problems(historyOf(stopped)), []);
});

test("a quantile lies in its bucket", () => {
  assert.equal(quantile(histogram(), BOUNDS_MS, 0.5), null);
  const half = quantile(histogram({ 3: 10, 100: 10 }), BOUNDS_MS, 0.5);
  assert.ok(half > 2 && half <= 4, half);
  assert.equal(quantile(histogram({ 5000: 1 }), BOUNDS_MS, 0.5), 1024);
});

test("only the difference between two answers is counted", () => {
  const window = between(answer(110, { methods: { a: method({ ok: 7 }), b: method({ ok: 1 }) } }),
    answer(100, { methods: { a: method({ ok: 5 }) } }));
  assert.deepEqual([window.methods.a.ok, window.methods.b.ok, window.seconds], [2, 1, 10]);
});

test("a server that started anew begins a new history", () => {
  const history = new History();
  assert.equal(history.add(answer(100, { methods: { a: method({ ok: 50 }) } })), false);
  assert.equal(history.add(answer(3, { pid: 8, methods: { a: method({ ok: 2 }) } })), true);
  assert.equal(history.window(10).methods.a.ok, 2);
});

const STORY = {
  request: 12, method: "both", client: "token web",
  events: [
    { kind: "admitted", at_us: 1000 },
    { kind: "fetch_begun", at_us: 1000, where: "users" },
    { kind: "fetch_ended", at_us: 5000, took_us: 4000, where: "users" },
    { kind: "queued", at_us: 5000, step: 1 },
    { kind: "published", at_us: 5100, took_us: 100, step: 1 },
    { kind: "run_ended", at_us: 9000, took_us: 3000, where: "worker 1", step: 1 },
    { kind: "answered", at_us: 9000, took_us: 8000 },
  ],
};

test("the stages of a request", () => {
  assert.deepEqual(
    stagesOf(STORY, 10000).map(({ kind, where, fromUs, toUs }) => [kind, where, fromUs, toUs]),
    [["fetch", "users", 1000, 5000], ["queue", "", 5000, 6000], ["run", "worker 1", 6000, 9000]]);
  assert.deepEqual(outcomeOf(STORY), { ended: true, failed: false, text: "OK", tookUs: 8000 });
});

test("a step that is published at once waits until its run begins", () => {
  const events = STORY.events.filter(({ kind }) => kind !== "queued");
  assert.deepEqual(
    stagesOf({ ...STORY, events }, 10000).map(({ kind, fromUs, toUs }) => [kind, fromUs, toUs]),
    [["fetch", 1000, 5000], ["queue", 5100, 6000], ["run", 6000, 9000]]);
});

test("a stage that goes on, and one that the deadline ended", () => {
  const [fetch] = stagesOf({ ...STORY, events: STORY.events.slice(0, 2) }, 7000);
  assert.deepEqual([fetch.toUs, fetch.open, fetch.failed], [7000, true, false]);
  const events = [...STORY.events.slice(0, 2), { kind: "expired", at_us: 6000, where: "fetch" },
    { kind: "answered", at_us: 6000, took_us: 5000, code: -32012, reason: "timeout" }];
  const [expired] = stagesOf({ ...STORY, events }, 7000);
  assert.deepEqual([expired.toUs, expired.open, expired.failed], [6000, false, true]);
  assert.equal(outcomeOf({ ...STORY, events }).text, "-32012 deadline exceeded (timeout)");
});

test("bars that overlap lie in different lanes", () => {
  const other = { ...STORY, request: 13 };
  const rows = rowsOf([STORY, other], [worker(), worker({ slot: 1 })], 0, 10000);
  assert.deepEqual(rows.map((row) => [row.label, row.bars.length]),
    [["fetch users", 1], ["", 1], ["queue", 1], ["", 1], ["worker 0", 0], ["worker 1", 2]]);
});

test("the job that a worker runs now is an open bar, unless its request has ended", () => {
  const runs = [worker({ method: "both", request: 12, busy_for_ms: 4 })];
  const barsAt = (count) => rowsOf([{ ...STORY, events: STORY.events.slice(0, count) }], runs, 0,
    9500).flatMap((row) => row.bars).map((bar) => [bar.kind, bar.fromUs, bar.toUs, bar.open,
    bar.request.client]);
  assert.deepEqual(barsAt(5), [["fetch", 1000, 5000, false, "token web"],
    ["queue", 5000, 5500, false, "token web"], ["run", 5500, 9500, true, "token web"]]);
  assert.deepEqual(barsAt(7).map(([kind, , toUs]) => [kind, toUs]),
    [["fetch", 5000], ["queue", 6000], ["run", 9000]]);
  const [bar] = rowsOf([], runs, 0, 9500).flatMap((row) => row.bars);
  assert.deepEqual([bar.kind, bar.request.request, bar.request.events], ["run", 12, []]);
});

test("events of a request may come in parts, and a restart clears them", () => {
  const recent = new RecentRequests();
  recent.add({ next: 3, now_ns: 5e6, requests: [{ ...STORY, events: STORY.events.slice(0, 2) }] });
  recent.add({ next: 8, now_ns: 9e6, requests: [{ ...STORY, events: STORY.events.slice(2) }] });
  assert.deepEqual(recent.all(), [STORY]);
  recent.add({ next: 1, now_ns: 1e6, requests: [] });
  assert.deepEqual([recent.all(), recent.next], [[], 1]);
});

test("at most the given number of requests is remembered", () => {
  const recent = new RecentRequests(5);
  const requests = [...Array(20).keys()].map((id) => ({ ...STORY, request: id }));
  recent.add({ next: 9, now_ns: 9e6, requests });
  assert.deepEqual(recent.all().map((one) => one.request), [15, 16, 17, 18, 19]);
});

test("numbers as people read them", () => {
  assert.deepEqual([0.25, 3.2, 412, 1500, 90_000, 7_200_000].map(duration),
    ["250 µs", "3.2 ms", "412 ms", "1.5 s", "90 s", "2 h"]);
  assert.deepEqual([512, 10 * 2 ** 20].map(bytes), ["512 B", "10 MiB"]);
  assert.deepEqual([0.004, 0.4].map(percent), ["0.4 %", "40 %"]);
});
