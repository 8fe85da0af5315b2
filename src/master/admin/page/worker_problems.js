// The faults of workers that this code finds: workers that are frozen or that grow. Pure. The server
// itself lists stopped workers, missing ones and those that have ended in /status.json.

import { quantile } from "./data.js";
import { bytes, duration, methodText, percent } from "./text.js";

// Yields problems as diagnosis.js returns them.
export function* ofWorkers(history) {
  yield* ofLongJobs(history);
  yield* ofMemory(history);
}

// Workers that run one job for much longer than its method takes.
function* ofLongJobs(history) {
  const now = history.last();
  for (const worker of now.workers) {
    if (worker.method === "" || worker.busy_for_ms < 1000 || worker.state === "stopped") continue;
    const its = now.methods[worker.method];
    const usual = its ? quantile(its.run, now.bounds_ms, 0.99) : null;
    if (usual !== null && worker.busy_for_ms < 5 * usual) continue;
    const used = cpuShare(history, worker);
    const what = methodText(worker.method);
    const time = duration(worker.busy_for_ms);
    const takes = usual === null ? "" : `; 99 % of its runs take at most ${duration(usual)}`;
    if (used !== null && used < 0.02) {
      yield {
        level: "bad",
        text:
          `worker ${worker.slot} has not progressed for ${time} and uses no CPU: ` +
          `it is frozen or waits, in ${what}${takes}`,
      };
    } else {
      yield {
        level: "warn",
        text:
          `worker ${worker.slot} has run ${what} for ${time}` +
          (used === null ? "" : `, with ${percent(used)} of a CPU`) +
          takes,
      };
    }
  }
}

// How much of one CPU the worker has used during its present job; null: not known yet.
function cpuShare(history, worker) {
  const during = history
    .ofWorker(worker.slot, worker.pid)
    .filter((one) => history.last().now_ns - one.now_ns <= worker.busy_for_ms * 1e6);
  if (during.length < 2) return null;
  const [first, last] = [during[0], during[during.length - 1]];
  const seconds = (last.now_ns - first.now_ns) / 1e9;
  return seconds < 1 ? null : Math.max(0, last.cpu_s - first.cpu_s) / seconds;
}

const RECENT_S = 10;
const GROWTH_SPAN_S = 8;

// Bytes a second over the last GROWTH_SPAN_S or longer; 0: the worker does not grow steadily.
export function growth(entries) {
  if (entries.length < 4) return 0;
  const [first, last] = [entries[0], entries[entries.length - 1]];
  const seconds = (last.now_ns - first.now_ns) / 1e9;
  if (seconds < GROWTH_SPAN_S) return 0;
  const middle = entries[entries.length >> 1];
  const early = middle.private_bytes - first.private_bytes;
  const late = last.private_bytes - middle.private_bytes;
  // A worker that has just begun grows fast and then stops.
  if (early <= 0 || late < 0.3 * early) return 0;
  return (last.private_bytes - first.private_bytes) / seconds;
}

// " in score (93 % of the runs' time)": the methods that take most of it; empty: none has run.
function runsText(window) {
  const times = Object.entries(window?.methods ?? {}).map(([name, its]) => [name, its.run.sum_ms]);
  const whole = times.reduce((all, [, ms]) => all + ms, 0);
  const most = times
    .filter(([, ms]) => ms >= 0.1 * whole && ms > 0)
    .sort((one, other) => other[1] - one[1])
    .map(([name, ms]) => `${methodText(name)} (${percent(ms / whole)} of the runs' time)`);
  return most.length === 0 ? "" : ` in ${most.slice(0, 3).join(" or ")}`;
}

function* ofMemory(history) {
  const growing = [];
  for (const worker of history.last().workers) {
    const entries = history.ofWorker(worker.slot, worker.pid).slice(-30);
    const perSecond = growth(entries);
    if (perSecond > 100e3 && worker.private_bytes > 8e6) growing.push({ worker, perSecond });
  }
  growing.sort((one, other) => other.perSecond - one.perSecond);
  for (const { worker, perSecond } of growing.slice(0, 3)) {
    yield {
      level: "warn",
      text:
        `worker ${worker.slot} has taken ${bytes(worker.private_bytes)} ` +
        `since its fork, and grows by ${bytes(perSecond)}/s: a memory leak` +
        `${runsText(history.window(RECENT_S))}?`,
    };
  }
  if (growing.length > 3) {
    yield { level: "warn", text: `${growing.length - 3} more workers grow like this` };
  }
}
