// The faults of the server, as sentences: those that /status.json lists, and those that this code
// finds by comparing many answers of the server: methods and upstreams that have become slow, and
// workers whose memory grows. Pure.

import { between, count, quantile, upstreamsOf } from "./data.js";
import { duration, methodText, percent } from "./text.js";
import { ofWorkers } from "./worker_problems.js";

const RECENT_S = 10;
const COUNT_MIN = 3; // fewer than this may be chance

// [{level: "bad" or "warn", text}], the worst first; empty: nothing stands out. `history`: of at
// least one answer.
export function problems(history) {
  const found = [...history.last().problems, ...ofWorkers(history)];
  const recent = history.window(RECENT_S);
  if (recent) {
    const older = history.before(RECENT_S);
    const usual = older ? between(older, null) : null;
    found.push(...ofUpstreams(recent, usual), ...ofHandlers(recent, usual));
  }
  return found.sort((one, other) => (one.level === "warn") - (other.level === "warn"));
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
