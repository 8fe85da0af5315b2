// The faults of the server, as sentences: those that /status.json lists, and those that this code
// finds by comparing an answer of the server with a former one. Pure.

import { between, count, quantile, upstreamsOf } from "./data.js";
import { duration, errorText, methodText, percent } from "./text.js";
import { ofWorkers } from "./worker_problems.js";

const RECENT_S = 10;
const COUNT_MIN = 3; // fewer failures than this may be chance
const SHARE_MIN = 0.01;

// [{level: "bad" or "warn", text}], the worst first; empty: nothing stands out. `history`: of at
// least one answer.
export function problems(history) {
  const now = history.last();
  const found = [...now.problems, ...ofWorkers(history)];
  const recent = history.window(RECENT_S);
  if (recent) {
    const older = history.before(RECENT_S);
    const usual = older ? between(older, null) : null;
    found.push(
      ...ofUpstreams(recent, usual),
      ...ofHandlers(recent, usual),
      ...ofRefusals(now, recent, history.clientCounts(RECENT_S)),
      ...ofFailures(recent),
    );
  }
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

function* ofUpstreams(recent, usual) {
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

function* ofRefusals(now, recent, clients) {
  const greedy = greedyClient(clients);
  for (const [name, its] of Object.entries(recent.methods)) {
    if (!isWorth(its.refused, its.offered)) continue;
    const { reason } = its.errors.find((one) => one.code === -32009 || one.code === -32013);
    const load = `the workers are busy ${percent(recent.busyShare)}, ${now.queued} requests wait`;
    let why = `overload; ${load}`;
    if (reason === "fair_share") {
      why = greedy
        ? `one client, ${greedy.name}, asks for more than its share, and gets ` +
          `${percent(greedy.part)} of all refusals`
        : `several clients ask for more than their shares; ${load}`;
    }
    yield {
      level: "bad",
      text:
        `${methodText(name)}: ${percent(its.refused / its.offered)} refused ` +
        `(${reason}): ${why}`,
    };
  }
}

// If one client got at least 60 % of the refusals: its name, and that part. Otherwise null.
function greedyClient(clients) {
  const counts = Object.fromEntries(
    Object.entries(clients).map(([name, { refused }]) => [name, refused]),
  );
  const name = top(counts);
  const part = counts[name] / sum(counts);
  return part >= 0.6 ? { name, part } : null;
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
