// The panel of the chosen request: what it is, its stages and its outcome.

import { element, svg } from "./dom.js";
import { outcomeOf, stagesOf } from "./requests.js";
import { duration, methodText } from "./text.js";

const NAMES = { fetch: "fetch", queue: "wait for a worker", run: "run" };
const WIDTH = 320;
const ROW = 16;

function facts(pairs) {
  return element(
    "dl",
    {},
    ...pairs.flatMap(([title, text, className]) => [
      element("dt", { textContent: title }),
      element("dd", { textContent: text, className: className ?? "" }),
    ]),
  );
}

function picture(stages, fromUs, toUs) {
  const x = (us) => ((us - fromUs) / Math.max(toUs - fromUs, 1)) * (WIDTH - 4) + 2;
  const drawn = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${stages.length * ROW + 2}`,
    "aria-hidden": "true",
  });
  stages.forEach((stage, i) =>
    drawn.append(
      svg("rect", {
        class: `bar-${stage.kind}${stage.failed ? " failed" : ""}${stage.open ? " open" : ""}`,
        x: x(stage.fromUs),
        y: i * ROW + 2,
        height: ROW - 4,
        width: Math.max(x(stage.toUs) - x(stage.fromUs), 2),
      }),
    ),
  );
  return drawn;
}

function stageTable(stages, fromUs) {
  const body = element(
    "tbody",
    {},
    ...stages.map((stage) =>
      element(
        "tr",
        {},
        element("th", {
          scope: "row",
          textContent: `${NAMES[stage.kind]}${stage.open ? " (goes on)" : ""}`,
        }),
        element("td", { className: "text", textContent: stage.where || "–" }),
        element("td", { textContent: `+${duration((stage.fromUs - fromUs) / 1000)}` }),
        element("td", { textContent: duration((stage.toUs - stage.fromUs) / 1000) }),
      ),
    ),
  );
  const head = element(
    "thead",
    {},
    element(
      "tr",
      {},
      ...["Stage", "Where", "From", "Took"].map((text) =>
        element("th", {
          scope: "col",
          textContent: text,
          className: text === "Where" ? "text" : "",
        }),
      ),
    ),
  );
  const table = element("table", {}, head, body);
  const notes = stages
    .filter((stage) => stage.note)
    .map((stage) =>
      element("p", {
        className: "failed-text",
        textContent: `${NAMES[stage.kind]} ${stage.where}: ${stage.note}`,
      }),
    );
  return [table, ...notes];
}

export function showNone(panel) {
  panel.replaceChildren(
    element("p", {
      className: "none",
      textContent:
        "Choose a bar of the timeline or a kept request: here you see where its time went.",
    }),
  );
}

// `nowUs`: when the request was looked at. `bar`: the chosen bar. If the server has forgotten the
// request's events, `bar` is the bar of the job that a worker runs now.
export function showRequest(panel, request, nowUs, bar = null) {
  const outcome = outcomeOf(request);
  if (request.events.length === 0) {
    panel.replaceChildren(
      element("h3", { textContent: methodText(request.method) }),
      facts([
        ["Runs on", bar.where],
        ["For", duration((bar.toUs - bar.fromUs) / 1000)],
        ["Request", String(request.request)],
      ]),
    );
    return;
  }
  const stages = stagesOf(request, nowUs, bar?.kind === "run" && bar.open ? bar : null);
  const fromUs = request.events[0].at_us;
  const last = request.events[request.events.length - 1].at_us;
  const ended = outcome.ended ? `${duration((nowUs - last) / 1000)} ago` : "not yet";
  panel.replaceChildren(
    element("h3", { textContent: methodText(request.method) }),
    facts([
      ["Outcome", outcome.text, outcome.failed ? "failed-text" : ""],
      [
        "Took",
        outcome.ended
          ? duration(outcome.tookUs / 1000)
          : `${duration((nowUs - fromUs) / 1000)} so far`,
      ],
      ["Request", request.request === 0 ? "none: it never became a job" : String(request.request)],
      ["JSON-RPC id", request.id ?? "–"],
      ["Client", request.client || "–"],
      ["Ended", ended],
    ]),
  );
  if (stages.length > 0) {
    panel.append(
      picture(stages, fromUs, outcome.ended ? last : nowUs),
      ...stageTable(stages, fromUs),
    );
  }
}
