// The status page: asks the server once a second, and shows its answers.

import { History } from "./data.js";
import { problems } from "./diagnosis.js";
import { element, setText } from "./dom.js";
import { KeptTable } from "./kept.js";
import { showNone, showRequest } from "./panel.js";
import { RecentRequests } from "./requests.js";
import { showTables } from "./tables.js";
import { duration, methodText } from "./text.js";
import { Timeline } from "./timeline.js";

const EVERY_MS = 1000;
const EVERY_HIDDEN_MS = 10_000;
const KEPT_EVERY = 3; // polls
const TIMEOUT_MS = 5000;

const at = (id) => document.getElementById(id);
const history = new History();
const recent = new RecentRequests();
const panel = at("panel");
let answeredAt = new Date();
let polls = 0;
let paused = null; // {requests, workers, nowUs}; the requests are copies: they get no more events
let started = ""; // a note that the server has started anew

const timeline = new Timeline(at("picture"), (request, bar) => {
  if (request === null) return showNone(panel);
  setPaused(true);
  return showRequest(panel, request, paused.nowUs, bar);
});
const kept = new KeptTable(at("kept"), at("kept-list"), (request, nowUs) => {
  timeline.choose(null);
  showRequest(panel, request, nowUs);
  panel.tabIndex = -1;
  panel.focus();
});

class NoAnswer extends Error {}

async function ask(path) {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetch(path, { cache: "no-store", signal });
    if (answer.ok) return await answer.json();
    throw new Error(`status ${answer.status}`);
  } catch (error) {
    throw new NoAnswer(`${path}: ${error.message}`);
  }
}

function showLink(className, text) {
  at("link").className = className;
  setText(at("link"), text);
  document.body.classList.toggle("stale", className === "lost");
}

function showServer(now) {
  setText(
    at("server"),
    `${now.version} · ${now.status} · up ${duration(1000 * now.uptime_s)} · ` +
      `pid ${now.pid} · ${now.configuration}${started}`,
  );
  document.title = `${found.some((one) => one.level === "bad") ? "✖ " : ""}ringmaster`;
}

let found = [];
const WORDS = { bad: "✖ bad: ", warn: "▲ look: ", good: "✔ fine: ", unknown: "" };

function showProblems() {
  found = problems(history);
  const nothing = history.window(10)
    ? { level: "good", text: "Nothing stands out." }
    : { level: "unknown", text: "Watching: the first rates come in a second." };
  const lines = found.length > 0 ? found : [nothing];
  // The texts change each second: a screen reader is told only how many there are.
  const bad = found.filter((one) => one.level === "bad").length;
  setText(at("summary"), found.length === 0 ? "" : `${bad} bad, ${found.length - bad} to look at`);
  const list = at("problems");
  while (list.children.length > lines.length) list.lastElementChild.remove();
  lines.forEach(({ level, text }, i) => {
    const line =
      list.children[i] ?? list.appendChild(element("li", {}, element("b"), element("span")));
    line.className = level;
    setText(line.firstElementChild, WORDS[level]);
    setText(line.lastElementChild, text);
  });
}

function showMethodChoice(now) {
  const only = at("only");
  for (const name of Object.keys(now.methods)) {
    if ([...only.options].some((one) => one.dataset.method === name)) continue;
    const option = element("option", { textContent: methodText(name), value: `method ${name}` });
    option.dataset.method = name;
    only.append(option);
  }
}

function drawTimeline() {
  const live = () => ({
    requests: recent.all(),
    workers: history.last()?.workers ?? [],
    nowUs: recent.nowUs,
  });
  const { requests, workers, nowUs } = paused ?? live();
  const only = at("only").value;
  const wanted = only === "" ? requests : requests.filter((one) => `method ${one.method}` === only);
  timeline.draw(wanted, only === "" ? workers : [], nowUs, Number(at("span").value) * 1e6);
}

function setPaused(isPaused) {
  if (isPaused === (paused !== null)) return;
  paused = isPaused
    ? {
        requests: structuredClone(recent.all()),
        workers: history.last()?.workers ?? [],
        nowUs: recent.nowUs,
      }
    : null;
  at("pause").setAttribute("aria-pressed", String(isPaused));
  setText(at("pause"), isPaused ? "Paused: go on" : "Pause");
  drawTimeline();
}

async function poll() {
  const [now, requests] = await Promise.all([
    ask("status.json"),
    ask(`requests.json?since=${recent.next}`),
  ]);
  if (history.add(now)) {
    started = ` · started anew at ${new Date().toLocaleTimeString()}`;
    recent.clear();
  } else {
    recent.add(requests);
  }
  answeredAt = new Date();
  showLink("live", document.hidden ? "live, slowly" : "live");
  showProblems();
  showServer(now);
  showTables(history);
  showMethodChoice(now);
  if (!paused) drawTimeline();
  if (polls++ % KEPT_EVERY === 0) kept.show(await ask("kept.json"));
}

let timer = 0;
let isAsking = false;
async function tick() {
  if (isAsking) return;
  isAsking = true;
  clearTimeout(timer);
  try {
    await poll();
  } catch (error) {
    if (!(error instanceof NoAnswer)) console.error(error);
    showLink("lost", `the server has not answered since ${answeredAt.toLocaleTimeString()}`);
  }
  isAsking = false;
  timer = setTimeout(tick, document.hidden ? EVERY_HIDDEN_MS : EVERY_MS);
}

function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  at("theme").value = theme;
}

// A browser may forbid storage.
function stored(theme) {
  try {
    if (theme !== undefined) localStorage.setItem("theme", theme);
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}

setTheme(["light", "dark"].includes(stored()) ? stored() : "auto");
at("theme").addEventListener("change", (event) => {
  setTheme(event.target.value);
  stored(event.target.value);
});
at("pause").addEventListener("click", () => {
  if (paused) timeline.choose(null);
  setPaused(!paused);
});
for (const id of ["span", "only"]) at(id).addEventListener("change", drawTimeline);
new ResizeObserver(drawTimeline).observe(at("timeline"));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) tick();
});
showNone(panel);
tick();
