// What is wrong, in words: from the history of /status.json. Pure.

import { between, count, quantile, upstreamsOf } from "./data.js";
import { bytes, duration, errorText, methodText, percent } from "./text.js";
import { ofWorkers } from "./worker_problems.js";

const RECENT_S = 10;
const COUNT_MIN = 3; // fewer failures than this may be chance
const SHARE_MIN = 0.01;

// [{level: "bad" or "warn", text}], the worst first; empty: nothing stands out. `history`: of at
// least one answer; `kept`: the answer of /kept.json, or null.
export function problems(history, kept = null) {
  const now = history.last();
  const found = [];
  if (!now.ready) found.push({ level: "bad", text: `not ready: ${now.status}` });
  found.push(...ofWorkers(history));
  const recent = history.window(RECENT_S);
  if (recent) {
    const older = history.before(RECENT_S);
    const usual = older ? between(older, null) : null;
    found.push(
      ...ofUpstreams(now, recent, usual),
      ...ofHandlers(recent, usual),
      ...ofClients(now, recent),
      ...ofRefusals(now, recent, kept),
      ...ofFailures(recent),
    );
  }
  found.push(...ofLimits(now));
  return found.sort((one, other) => (one.level === "warn") - (other.level === "warn"));
}

function isWorth(part, whole) {
  return part >= COUNT_MIN && part >= SHARE_MIN * whole;
}

function top(counts) {
  return Object.entries(counts).sort((one, other) => other[1] - one[1])[0]?.[0];
}

function sum(counts) {
  return Object.values(counts).reduce((all, one) => all + one, 0);
}

// "8 times as long as before"; null: less than 3 times, or there are too few values.
function slower(median, usual, boundsMs) {
  if (!usual || count(usual) < 20 || median === null || median < 20) return null;
  const before = quantile(usual, boundsMs, 0.5);
  const times = median / before;
  return times < 3 ? null : `${Math.round(times)} times as long as before (${duration(before)})`;
}

function* ofUpstreams(now, recent, usual) {
  const before = usual ? upstreamsOf(usual) : {};
  for (const [name, its] of Object.entries(upstreamsOf(recent))) {
    const all = count(its.took);
    const failed = sum(its.failed);
    if (isWorth(failed, all)) {
      yield {
        level: "bad",
        text: `upstream ${name}: ${percent(failed / all)} of fetches fail (${top(its.failed)})`,
      };
    }
    const median = quantile(its.took, recent.boundsMs, 0.5);
    const change = all >= COUNT_MIN ? slower(median, before[name]?.took, recent.boundsMs) : null;
    if (change) {
      yield {
        level: "bad",
        text: `upstream ${name} is slow: a fetch takes ${duration(median)}, ${change}`,
      };
    }
  }
  for (const one of now.upstreams) {
    if (one.breaker_open) {
      yield {
        level: "bad",
        text: `upstream ${one.name}: its breaker is open, so fetches fail without being sent`,
      };
    }
    if (one.ejected > 0) {
      yield {
        level: "warn",
        text: `upstream ${one.name}: ${one.ejected} of ${one.addresses} addresses get probes only`,
      };
    }
    if (one.waiting > 0 && one.waiting >= one.connections / 4) {
      yield {
        level: "warn",
        text:
          `upstream ${one.name}: ${one.waiting} fetches wait for one of its ` +
          `${one.connections} connections`,
      };
    }
  }
}

const SLOW_MS = 200;

function cpuText({ cpuPart }) {
  if (cpuPart === null || cpuPart > 0.6) return "";
  return `; ${percent(cpuPart)} of that is CPU time: the runs wait, or others use the CPU`;
}

// Methods whose handler has become slower or has a few slow runs, or that one stage makes slow.
function* ofHandlers(recent, usual) {
  for (const [name, its] of Object.entries(recent.methods)) {
    const runs = count(its.run);
    const run = quantile(its.run, recent.boundsMs, 0.5);
    const change =
      runs >= COUNT_MIN ? slower(run, usual?.methods[name]?.run, recent.boundsMs) : null;
    if (change) {
      yield {
        level: "bad",
        text:
          `${methodText(name)}: its handler is slow: a run takes ${duration(run)}, ${change}` +
          cpuText(recent),
      };
      continue;
    }
    const stage = slowStage(name, its, recent.boundsMs);
    if (stage) {
      yield stage;
      continue;
    }
    const tail = quantile(its.run, recent.boundsMs, 0.99);
    if (runs >= 50 && tail >= SLOW_MS && tail > 10 * run) {
      yield {
        level: "warn",
        text:
          `${methodText(name)}: some runs of its handler are slow: 1 % ` +
          `take ${duration(tail)} or longer, the median takes ${duration(run)}`,
      };
    }
  }
}

// The stage that takes 60 % or more of a slow method's time, as a problem; null: none does, or the
// method is not slow.
function slowStage(name, its, boundsMs) {
  const median = quantile(its.total, boundsMs, 0.5);
  if (median === null || median < SLOW_MS || count(its.total) < COUNT_MIN) return null;
  const fetches = Object.entries(its.fetch).map(([upstream, one]) => [
    `waiting for upstream ${upstream}`,
    one.took.sum_ms,
  ]);
  const stages = [
    ["its handler", its.run.sum_ms],
    ["waiting for a worker", its.queue.sum_ms],
    ...fetches,
  ].sort((one, other) => other[1] - one[1]);
  const whole = stages.reduce((all, one) => all + one[1], 0);
  const share = stages[0][1] / whole;
  if (!(share >= 0.6)) return null;
  return {
    level: "warn",
    text:
      `${methodText(name)} is slow: it takes ${duration(median)} (median), ` +
      `${percent(share)} of that is ${stages[0][0]}`,
  };
}

function* ofClients(now, recent) {
  const used = now.clients.reduce((all, one) => all + one.used, 0);
  if (now.clients.length < 2 || recent.busyShare < 0.8) return;
  const most = now.clients.reduce((best, one) => (one.used > best.used ? one : best));
  const weights = now.clients.reduce((all, one) => all + one.weight, 0);
  const part = most.used / used;
  if (part < 0.6 || part < 1.3 * (most.weight / weights)) return;
  yield {
    level: "warn",
    text:
      `client ${most.name} uses ${percent(Math.min(1, most.used))} of the workers' time, ` +
      `all other clients ${percent(Math.max(0, used - most.used))}`,
  };
}

function* ofRefusals(now, recent, kept) {
  for (const [name, its] of Object.entries(recent.methods)) {
    if (!isWorth(its.refused, its.offered)) continue;
    const reasons = its.errors.filter((one) => one.code === -32009 || one.code === -32013);
    const client = reasons[0].reason === "fair_share" ? greedyClient(kept, name) : null;
    const why = client
      ? `fair_share: client ${client} asks for more than its share`
      : reasons[0].reason;
    yield {
      level: "bad",
      text:
        `${methodText(name)}: ${percent(its.refused / its.offered)} refused ` +
        `(${why}): overload; the workers are busy ${percent(recent.busyShare)}, ` +
        `${now.queued} requests wait`,
    };
  }
}

// The client that got at least 60 % of this method's recent fair_share refusals. Counts only the
// refusals that were kept. null: there is no such client.
function greedyClient(kept, method) {
  const clients = {};
  for (const request of kept?.requests ?? []) {
    const end = request.events[request.events.length - 1];
    const isNew = kept.now_ns / 1000 - end.at_us < RECENT_S * 1e6;
    if (request.method !== method || end.reason !== "fair_share" || !isNew) continue;
    clients[request.client] = (clients[request.client] ?? 0) + 1;
  }
  const most = top(clients);
  return clients[most] >= 0.6 * sum(clients) ? most : null;
}

function* ofFailures(recent) {
  for (const [name, its] of Object.entries(recent.methods)) {
    const misses = sum(its.misses);
    if (isWorth(misses, its.offered)) {
      const stage = {
        fetch: "while they fetched",
        queue: "while they waited for a worker",
        run: "while the handler ran",
      }[top(its.misses)];
      yield {
        level: "bad",
        text:
          `${methodText(name)}: ${percent(misses / its.offered)} miss their ` +
          `deadline, most ${stage}`,
      };
    }
    // Other problems report refusals, missed deadlines and failures of upstreams.
    const rest = its.errors.filter(
      (one) => ![-32009, -32013, -32012, -32015, -32800].includes(one.code),
    );
    const all = rest.reduce((total, one) => total + one.count, 0);
    if (!isWorth(all, its.offered)) continue;
    const isClients = rest[0].code <= -32600 || rest[0].code === -32001;
    yield {
      level: isClients ? "warn" : "bad",
      text:
        `${methodText(name)}: ` +
        `${percent(all / its.offered)} fail: ${errorText(rest[0].code, rest[0].reason)}`,
    };
  }
}

function* ofLimits(now) {
  const limits = [
    ["requests in flight", now.in_flight, now.in_flight_limit, String],
    ["payload memory", now.payload_bytes, now.payload_limit_bytes, bytes],
    ["connections", sum(now.connections), now.connections_limit, String],
    ["descriptors", now.descriptors, now.descriptors_limit, String],
  ];
  for (const [name, used, limit, text] of limits) {
    if (limit > 0 && used >= 0.9 * limit) {
      yield { level: "warn", text: `${name}: ${text(used)} of ${text(limit)} are used` };
    }
  }
}
