// Kept requests: how many there are by method and class of time; a click on a number lists them.

import { element, setText } from "./dom.js";
import { outcomeOf } from "./requests.js";
import { duration, methodText } from "./text.js";

// "50 to 100 ms", by class; the last one: "failed".
export function classNames(classesMs) {
  const names = classesMs.map((from, i) => {
    const to = classesMs[i + 1];
    if (to === undefined) return `from ${duration(from)}`;
    return from === 0 ? `to ${duration(to)}` : `${duration(from)} to ${duration(to)}`;
  });
  return [...names, "failed"];
}

// Map of method to a list of requests for each class.
export function byMethod(answer) {
  const methods = new Map();
  for (const request of answer.requests) {
    if (!methods.has(request.method)) {
      methods.set(
        request.method,
        Array.from({ length: answer.classes_ms.length + 1 }, () => []),
      );
    }
    methods.get(request.method)[request.class].push(request);
  }
  return methods;
}

export class KeptTable {
  // onChoose(request, the time of the answer that had it)
  constructor(table, list, onChoose) {
    this.table = table;
    this.list = list;
    this.onChoose = onChoose;
    this.open = null; // {method, index}
    this.shown = "";
  }

  show(answer) {
    this.answer = answer;
    const methods = byMethod(answer);
    const names = classNames(answer.classes_ms);
    const counts = JSON.stringify(
      [...methods].map(([method, lists]) => [method, lists.map((one) => one.length)]),
    );
    if (counts !== this.shown) {
      this.shown = counts;
      this.fill(methods, names);
    }
    this.showList();
  }

  fill(methods, names) {
    const focused = this.table.contains(document.activeElement)
      ? document.activeElement.dataset.place
      : null;
    const head = element(
      "tr",
      {},
      element("th", { scope: "col", textContent: "Method" }),
      ...names.map((text) => element("th", { scope: "col", textContent: text })),
    );
    const rows = [...methods].map(([method, lists]) =>
      element(
        "tr",
        {},
        element("th", { scope: "row", textContent: methodText(method), className: "name" }),
        ...lists.map((list, index) =>
          element(
            "td",
            {},
            ...(list.length === 0
              ? ["·"]
              : [this.button(method, index, list.length, names[index])]),
          ),
        ),
      ),
    );
    this.table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
    if (focused === null) return;
    [...this.table.querySelectorAll("button")]
      .find((one) => one.dataset.place === focused)
      ?.focus();
  }

  button(method, index, number, name) {
    const made = element("button", { type: "button", textContent: String(number) });
    made.setAttribute("aria-label", `${number} of ${methodText(method)}, ${name}`);
    made.dataset.place = JSON.stringify([method, index]);
    made.addEventListener("click", () => {
      this.open = { method, index };
      this.showList();
    });
    return made;
  }

  showList() {
    const lists = this.open ? byMethod(this.answer).get(this.open.method) : null;
    const list = [...(lists?.[this.open.index] ?? [])].reverse();
    const nowUs = this.answer.now_ns / 1000;
    while (this.list.children.length > list.length) this.list.lastElementChild.remove();
    list.forEach((request, i) => {
      const line =
        this.list.children[i] ??
        this.list.appendChild(element("li", {}, element("button", { type: "button" })));
      const ended = request.events[request.events.length - 1].at_us;
      const outcome = outcomeOf(request);
      const ago = duration((nowUs - ended) / 1000);
      setText(
        line.firstElementChild,
        `${methodText(request.method)} · ${duration(outcome.tookUs / 1000)} · ` +
          `${outcome.text} · ${request.client || "–"} · ${ago} ago`,
      );
      line.firstElementChild.onclick = () => this.onChoose(request, nowUs);
    });
  }
}
