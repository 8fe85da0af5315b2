// Single requests: from the events of /requests.json and /kept.json to bars in rows. Pure.

import { errorText } from "./text.js";

// The recent requests. Events come in parts, each part once.
export class RecentRequests {
  constructor(requestsMax = 4000, spanUs = 90e6) {
    this.requestsMax = requestsMax;
    this.spanUs = spanUs;
    this.clear();
  }

  clear() {
    this.next = 0; // for ?since=
    this.nowUs = 0;
    this.byId = new Map();
  }

  // An answer to /requests.json?since=next.
  add(answer) {
    if (answer.next < this.next || answer.now_ns / 1000 < this.nowUs) this.clear();
    this.next = answer.next;
    this.nowUs = answer.now_ns / 1000;
    for (const part of answer.requests) {
      const known = this.byId.get(part.request);
      if (known) known.events.push(...part.events);
      else this.byId.set(part.request, { ...part, events: [...part.events] });
    }
    for (const [id, request] of this.byId) {
      const last = request.events[request.events.length - 1];
      const isOld = isEnd(last) && last.at_us < this.nowUs - this.spanUs;
      if (!isOld && this.byId.size <= this.requestsMax) break;
      this.byId.delete(id);
    }
  }

  all() {
    return [...this.byId.values()];
  }
}

function isEnd(event) {
  return ["answered", "cancelled", "refused"].includes(event.kind);
}

// {ended, failed, text, tookUs}
export function outcomeOf(request) {
  const end = request.events.find(isEnd);
  if (!end) return { ended: false, failed: false, text: "not ended", tookUs: null };
  const took = end.kind === "refused" ? 0 : (end.took_us ?? 0);
  if (end.kind === "cancelled" && !end.code) {
    return { ended: true, failed: true, text: "its client is gone", tookUs: took };
  }
  const failed = Boolean(end.code);
  const text = failed ? errorText(end.code, end.reason) : "OK";
  return {
    ended: true,
    failed,
    text: end.kind === "refused" ? `refused: ${text}` : text,
    tookUs: took,
  };
}

// The worker's present run as a stage: the run has no event yet.
function runOf(worker, nowUs) {
  return {
    kind: "run",
    where: `worker ${worker.slot}`,
    step: 0,
    fromUs: nowUs - worker.busy_for_ms * 1000,
    toUs: nowUs,
    open: true,
    failed: false,
    note: worker.state === "stopped" ? "its worker is stopped" : "",
  };
}

// The request's stages: [{kind: "fetch", "queue" or "run", where, step, fromUs, toUs, open, failed,
// note}], in the order in which they began. `where`: the upstream or worker; "": not known. `run`:
// the present run of the request, as runOf() returns it, or null.
export function stagesOf(request, nowUs, run = null) {
  const stages = [];
  const open = new Map(); // by kind and step
  const begin = (kind, event, where = "") =>
    open.set(`${kind} ${event.step ?? 0}`, {
      kind,
      where,
      step: event.step ?? 0,
      fromUs: event.at_us,
      open: false,
      failed: false,
      note: "",
    });
  const end = (kind, event, more = {}) => {
    const key = `${kind} ${event.step ?? 0}`;
    const begun = open.get(key) ?? {
      kind,
      where: "",
      step: event.step ?? 0,
      fromUs: event.at_us - (event.took_us ?? 0),
      open: false,
      failed: false,
      note: "",
    };
    open.delete(key);
    stages.push({ ...begun, toUs: event.at_us, ...more });
  };
  for (const event of request.events) {
    const took = event.took_us ?? 0;
    switch (event.kind) {
      case "fetch_begun":
        begin("fetch", event, event.where);
        break;
      case "fetch_ended":
        end("fetch", event, {
          where: event.where ?? "",
          failed: Boolean(event.code),
          note: event.code ? errorText(event.code, event.reason) : "",
        });
        break;
      case "queued":
        begin("queue", event);
        break;
      case "published":
        if (!open.has(`queue ${event.step ?? 0}`)) begin("queue", event);
        break;
      case "run_ended":
      case "lost":
        // The event comes at the run's end: the queue stage ended when the run began.
        end("queue", { ...event, at_us: event.at_us - took, took_us: 0 });
        stages.push({
          kind: "run",
          where: event.where ?? "",
          step: event.step ?? 0,
          fromUs: event.at_us - took,
          toUs: event.at_us,
          open: false,
          failed: event.kind === "lost" || Boolean(event.code),
          note:
            event.kind === "lost"
              ? "its worker died"
              : event.code
                ? errorText(event.code, event.reason)
                : "",
        });
        break;
      case "expired":
      case "answered":
      case "cancelled":
        for (const [key, begun] of open) {
          stages.push({
            ...begun,
            toUs: event.at_us,
            failed: event.kind === "expired",
            note: event.kind === "expired" ? "the deadline was over" : "",
          });
          open.delete(key);
        }
        break;
    }
  }
  // `run` and the events come from two answers of the server, so `run` may have ended since.
  const isOfRun = (event) => ["published", "run_ended", "lost"].includes(event.kind);
  const isRun = run !== null && request.events.findLast(isOfRun)?.kind === "published";
  for (const begun of open.values()) {
    if (isRun && begun.kind === "queue") stages.push({ ...begun, toUs: run.fromUs });
    else stages.push({ ...begun, toUs: nowUs, open: true });
  }
  if (isRun) stages.push(run);
  return stages
    .filter((one) => one.toUs >= one.fromUs)
    .sort((one, other) => one.fromUs - other.fromUs);
}

const LANES_MAX = 8;

// Sets bar.lane. Bars that overlap get different lanes, until `lanesMax` lanes are in use.
function intoLanes(bars, lanesMax) {
  const ends = [];
  for (const bar of bars) {
    let lane = ends.findIndex((endUs) => endUs <= bar.fromUs);
    if (lane < 0) lane = ends.length < lanesMax ? ends.length : ends.indexOf(Math.min(...ends));
    ends[lane] = Math.max(ends[lane] ?? 0, bar.toUs);
    bar.lane = lane;
  }
  return ends.length;
}

// The picture's rows with their bars: [{label, kind, bars}]. `workers`: of /status.json.
export function rowsOf(requests, workers, fromUs, nowUs) {
  const groups = new Map(); // key -> {label, kind, bars}
  const group = (key, label, kind) => {
    if (!groups.has(key)) groups.set(key, { label, kind, bars: [] });
    return groups.get(key);
  };
  for (const worker of workers)
    group(`3 ${String(worker.slot).padStart(4, "0")}`, `worker ${worker.slot}`, "run");
  const runs = new Map(
    workers.filter((one) => one.method !== "").map((one) => [one.request, runOf(one, nowUs)]),
  );
  const known = new Set(requests.map((one) => one.request));
  for (const worker of workers) {
    if (worker.method === "" || known.has(worker.request)) continue;
    const request = { request: worker.request, method: worker.method, client: "", events: [] };
    group(`3 ${String(worker.slot).padStart(4, "0")}`).bars.push({
      ...runs.get(worker.request),
      request,
    });
  }
  for (const request of requests) {
    for (const stage of stagesOf(request, nowUs, runs.get(request.request))) {
      if (stage.toUs < fromUs) continue;
      const bar = { ...stage, request };
      if (stage.kind === "fetch")
        group(`1 ${stage.where}`, `fetch ${stage.where}`, "fetch").bars.push(bar);
      else if (stage.kind === "queue") group("2", "queue", "queue").bars.push(bar);
      else {
        const slot = stage.where.replace("worker ", "");
        group(
          stage.where ? `3 ${slot.padStart(4, "0")}` : "4",
          stage.where || "worker not known",
          "run",
        ).bars.push(bar);
      }
    }
  }
  const rows = [];
  for (const key of [...groups.keys()].sort()) {
    const { label, kind, bars } = groups.get(key);
    bars.sort((one, other) => one.fromUs - other.fromUs);
    const lanes = Math.max(1, intoLanes(bars, key.startsWith("3") ? 1 : LANES_MAX));
    for (let lane = 0; lane < lanes; ++lane) {
      rows.push({
        label: lane === 0 ? label : "",
        kind,
        bars: bars.filter((bar) => bar.lane === lane),
      });
    }
  }
  return rows;
}
