// What the answers of /status.json say: the counts between two of them, percentiles, and a history
// of answers. Pure.

const REFUSED = new Set([-32009, -32013]);
const ABANDONED = new Set([-32800]);
const BAD_REQUEST = new Set([-32700, -32600, -32601, -32602, -32001, -32007, -32010]);

// "refused": the server could not take the request; "bad": the client's mistake; "cancelled";
// "failed".
export function kindOf(code) {
  if (REFUSED.has(code)) return "refused";
  if (BAD_REQUEST.has(code)) return "bad";
  return ABANDONED.has(code) ? "cancelled" : "failed";
}

const EMPTY = { sum_ms: 0, counts: [] };

function minus(newer, older = EMPTY) {
  return {
    sum_ms: newer.sum_ms - older.sum_ms,
    counts: newer.counts.map((count, i) => count - (older.counts[i] ?? 0)),
  };
}

export function plus(one, other) {
  return {
    sum_ms: one.sum_ms + other.sum_ms,
    counts: one.counts.map((count, i) => count + (other.counts[i] ?? 0)),
  };
}

export function count(histogram) {
  return histogram.counts.reduce((sum, one) => sum + one, 0);
}

// The time that `share` of the values do not exceed, in ms; null: there are no values. Values are
// taken to be spread evenly in their bucket. A time beyond the last bound is given as that bound.
export function quantile(histogram, boundsMs, share) {
  const all = count(histogram);
  if (all === 0) return null;
  let below = 0;
  for (let i = 0; i < boundsMs.length; ++i) {
    const here = histogram.counts[i];
    if (here > 0 && below + here >= share * all) {
      const from = i === 0 ? 0 : boundsMs[i - 1];
      return from + (boundsMs[i] - from) * Math.max(0, (share * all - below) / here);
    }
    below += here;
  }
  return boundsMs[boundsMs.length - 1];
}

function errorsBetween(newer, older = []) {
  const before = new Map(older.map((one) => [`${one.code} ${one.reason}`, one.count]));
  return newer
    .map((one) => ({ ...one, count: one.count - (before.get(`${one.code} ${one.reason}`) ?? 0) }))
    .filter((one) => one.count > 0)
    .sort((one, other) => other.count - one.count);
}

function countsBetween(newer, older = {}) {
  return Object.fromEntries(
    Object.entries(newer)
      .map(([name, value]) => [name, value - (older[name] ?? 0)])
      .filter(([, value]) => value > 0),
  );
}

function methodBetween(newer, older) {
  const errors = errorsBetween(newer.errors, older?.errors);
  const of = (kind) =>
    errors.filter((one) => kindOf(one.code) === kind).reduce((sum, one) => sum + one.count, 0);
  const ok = newer.ok - (older?.ok ?? 0);
  const fetch = {};
  for (const [upstream, its] of Object.entries(newer.fetch)) {
    const before = older?.fetch[upstream];
    fetch[upstream] = {
      took: minus(its.took, before?.took),
      failed: countsBetween(its.failed, before?.failed),
    };
  }
  return {
    ok,
    errors,
    refused: of("refused"),
    bad: of("bad"),
    failed: of("failed"),
    cancelled: of("cancelled") + newer.abandoned - (older?.abandoned ?? 0),
    offered: ok + errors.reduce((sum, one) => sum + one.count, 0),
    lost: newer.lost - (older?.lost ?? 0),
    total: minus(newer.total, older?.total),
    queue: minus(newer.queue, older?.queue),
    run: minus(newer.run, older?.run),
    fetch,
  };
}

// By upstream with a cache, the part of its fetches that the cache answered. A reload may begin the
// counts anew.
function cachedParts(newer, older) {
  const parts = {};
  for (const one of newer.upstreams) {
    if (!one.cache) continue;
    const before = older?.upstreams.find((former) => former.name === one.name)?.cache;
    const of = (result) => Math.max(0, one.cache[result] - (before?.[result] ?? 0));
    const cached = of("hit") + of("stale");
    const all = cached + of("miss") + of("coalesced");
    if (all > 0) parts[one.name] = cached / all;
  }
  return parts;
}

// The counts between two answers. `older` null: since the server's start.
export function between(newer, older) {
  const methods = {};
  for (const [name, its] of Object.entries(newer.methods)) {
    methods[name] = methodBetween(its, older?.methods[name]);
  }
  return {
    seconds: older ? (newer.now_ns - older.now_ns) / 1e9 : newer.uptime_s,
    boundsMs: newer.bounds_ms,
    methods,
    busyShare: busyShare(newer, older),
    cpuPart: cpuPart(newer, older),
    cachedParts: cachedParts(newer, older),
  };
}

// The CPU time of workers that lived all the while, as a part of their runs' time; null: they ran
// hardly anything.
function cpuPart(newer, older) {
  let [busy, cpu] = [0, 0];
  for (const worker of newer.workers) {
    const before = older?.workers.find((one) => one.slot === worker.slot && one.pid === worker.pid);
    if (!before) continue;
    busy += worker.busy_s - before.busy_s;
    cpu += worker.cpu_s - before.cpu_s;
  }
  return busy < 0.5 ? null : Math.min(1, cpu / busy);
}

function busyShare(newer, older) {
  const busy = (answer) => answer.workers.reduce((sum, one) => sum + one.busy_s, 0);
  const seconds = older ? (newer.now_ns - older.now_ns) / 1e9 : newer.uptime_s;
  // busy_s counts a run only at its end, so a run that is longer than the window is added here.
  const now = newer.workers.filter((one) => one.busy_for_ms > 1000 * seconds).length;
  const whole = seconds * Math.max(newer.workers_wanted, 1);
  return Math.min(1, ((older ? busy(newer) - busy(older) : busy(newer)) + now * seconds) / whole);
}

// The sums of all methods.
export function sums(window) {
  const all = { offered: 0, ok: 0, refused: 0, bad: 0, failed: 0, cancelled: 0 };
  for (const its of Object.values(window.methods)) {
    for (const name of Object.keys(all)) all[name] += its[name];
  }
  return all;
}

// By upstream, the sum of all methods.
export function upstreamsOf(window) {
  const upstreams = {};
  for (const its of Object.values(window.methods)) {
    for (const [name, fetches] of Object.entries(its.fetch)) {
      const sum = (upstreams[name] ??= { took: fetches.took, failed: {} });
      if (sum.took !== fetches.took) sum.took = plus(fetches.took, sum.took);
      for (const [reason, failed] of Object.entries(fetches.failed)) {
        sum.failed[reason] = (sum.failed[reason] ?? 0) + failed;
      }
    }
  }
  return upstreams;
}

// The answers of the last minute. A server that started anew begins a new history.
export class History {
  constructor(keptS = 75) {
    this.keptS = keptS;
    this.answers = [];
  }

  // Returns whether the server started anew since the last answer.
  add(answer) {
    const last = this.last();
    const isNew = last !== undefined && (answer.pid !== last.pid || answer.now_ns < last.now_ns);
    if (isNew) this.answers = [];
    this.answers.push(answer);
    while (answer.now_ns - this.answers[0].now_ns > this.keptS * 1e9) this.answers.shift();
    return isNew;
  }

  last() {
    return this.answers[this.answers.length - 1];
  }

  // The newest answer that is at least `seconds` old. Without one: null if the server has run for
  // at most `seconds`, else the oldest answer, or undefined if that is the only one.
  before(seconds) {
    const last = this.last();
    const isOld = (answer) => last.now_ns - answer.now_ns >= seconds * 1e9;
    const old = this.answers.findLast(isOld);
    if (old) return old;
    if (last.uptime_s <= seconds) return null;
    return this.answers.length > 1 ? this.answers[0] : undefined;
  }

  // The counts of the last `seconds`, or of the time that is known; null: no time is known yet.
  window(seconds) {
    const older = this.before(seconds);
    return older === undefined ? null : between(this.last(), older);
  }

  // By client that is listed now: how many of its requests had a result in the last `seconds`, and
  // how many were refused, since the first answer that lists the client.
  clientCounts(seconds) {
    const last = this.last();
    const first = new Map();
    for (const { now_ns, clients } of this.answers) {
      if (last.now_ns - now_ns > seconds * 1e9) continue;
      for (const one of clients) if (!first.has(one.name)) first.set(one.name, { ...one, now_ns });
    }
    return Object.fromEntries(
      last.clients.map(({ name, ok, refused }) => {
        const before = first.get(name);
        return [
          name,
          {
            seconds: (last.now_ns - before.now_ns) / 1e9,
            ok: ok - before.ok,
            refused: refused - before.refused,
          },
        ];
      }),
    );
  }

  // The entries of the process `pid` in this worker slot, in all answers, the oldest first.
  ofWorker(slot, pid) {
    return this.answers
      .map((answer) => ({
        now_ns: answer.now_ns,
        ...answer.workers.find((one) => one.slot === slot),
      }))
      .filter((one) => one.pid === pid);
  }
}
