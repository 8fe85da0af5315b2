// The timeline: a picture of bars in rows. The mouse, touch and keys choose a request.

import { svg } from "./dom.js";
import { outcomeOf, rowsOf } from "./requests.js";
import { duration, methodText } from "./text.js";

const ROW = 22;
const AXIS = 22;
const LABEL_PX = 7; // of a letter in a bar

function pattern() {
  const hatch = svg("pattern", {
    id: "hatch",
    width: 6,
    height: 6,
    patternUnits: "userSpaceOnUse",
    patternTransform: "rotate(45)",
  });
  hatch.append(
    svg("rect", { class: "hatch-back", width: 6, height: 6 }),
    svg("path", { class: "hatch-line", d: "M0 0V6" }),
  );
  return svg("defs", {}, hatch);
}

export class Timeline {
  // onChoose(request or null)
  constructor(picture, onChoose) {
    this.picture = picture;
    this.onChoose = onChoose;
    this.rows = [];
    this.chosen = null; // a bar
    picture.addEventListener("click", (event) => this.onClick(event));
    picture.addEventListener("keydown", (event) => this.onKey(event));
    picture.addEventListener("mousemove", (event) => this.onHover(event));
    picture.addEventListener("mouseleave", () => this.light(null));
    this.hint = svg("title");
  }

  // Draws the requests that were under way in the last `spanUs` before `nowUs`.
  draw(requests, workers, nowUs, spanUs) {
    this.nowUs = nowUs;
    this.fromUs = nowUs - spanUs;
    this.spanUs = spanUs;
    this.rows = rowsOf(requests, workers, this.fromUs, nowUs);
    this.width = Math.max(this.picture.clientWidth, 200);
    this.left = this.width < 500 ? 78 : 130;
    const height = AXIS + this.rows.length * ROW + 4;
    this.picture.setAttribute("viewBox", `0 0 ${this.width} ${height}`);
    this.picture.setAttribute("height", height);
    const parts = [this.hint, pattern(), ...this.axis(height)];
    this.rows.forEach((row, i) => parts.push(this.drawRow(row, AXIS + i * ROW)));
    this.cursor = svg("rect", { class: "cursor", rx: 3, visibility: "hidden" });
    this.picture.replaceChildren(...parts, this.cursor);
    this.choose(this.again(this.chosen), false);
  }

  x(us) {
    return this.left + Math.max(0, (us - this.fromUs) / this.spanUs) * (this.width - this.left - 6);
  }

  axis(height) {
    const parts = [];
    const ticks = this.width < 500 ? 2 : 5;
    for (let i = 0; i <= ticks; ++i) {
      const x = this.x(this.fromUs + (this.spanUs * i) / ticks);
      const ago = (this.spanUs * (ticks - i)) / ticks / 1000;
      parts.push(
        svg("path", { class: "tick", d: `M${x} ${AXIS - 4}V${height}` }),
        svg(
          "text",
          {
            class: "time-label",
            x,
            y: 14,
            "text-anchor": i === 0 ? "start" : i === ticks ? "end" : "middle",
          },
          i === ticks ? "now" : `−${duration(ago)}`,
        ),
      );
    }
    return parts;
  }

  drawRow(row, y) {
    const group = svg("g");
    const letters = Math.floor(this.left / LABEL_PX);
    const label = row.label.length > letters ? `${row.label.slice(0, letters - 1)}…` : row.label;
    if (row.label) {
      group.append(
        svg("path", { class: "row-line", d: `M0 ${y}H${this.width}` }),
        svg("text", { class: "row-label", x: 6, y: y + 15 }, label, svg("title", {}, row.label)),
      );
    }
    row.group = group;
    // Where bars overlap, draws only the first one, and each bar that has failed.
    let drawnTo = -1;
    for (const bar of row.bars) {
      bar.x = this.x(bar.fromUs);
      bar.width = Math.max(this.x(bar.toUs) - bar.x, 2);
      bar.y = y + 3;
      if (bar.x + bar.width < drawnTo + 0.7 && !bar.failed) continue;
      drawnTo = Math.max(drawnTo, bar.x + bar.width);
      group.append(this.drawBar(bar));
    }
    return group;
  }

  drawBar(bar) {
    const drawn = svg("g", { class: bar.kind === "fetch" ? "one under" : "one" });
    const state = `${bar.failed ? " failed" : ""}${bar.open ? " open" : ""}`;
    drawn.append(
      svg("rect", {
        class: `bar-${bar.kind}${state}`,
        x: bar.x,
        y: bar.y,
        width: bar.width,
        height: ROW - 6,
        rx: bar.width > 6 ? 3 : 0,
      }),
    );
    const letters = Math.floor((bar.width - (bar.failed ? 22 : 8)) / LABEL_PX);
    if (letters >= 3) {
      const text = methodText(bar.request.method);
      drawn.append(
        svg(
          "text",
          { class: "bar-label", x: bar.x + 5, y: bar.y + 12 },
          text.length > letters ? `${text.slice(0, letters - 1)}…` : text,
        ),
      );
    }
    if (bar.failed && bar.width > 10) {
      const x = bar.x + bar.width - 12;
      drawn.append(svg("path", { class: "cross", d: `M${x} ${bar.y + 4}l8 8m0 -8l-8 8` }));
    }
    bar.drawn = drawn;
    return drawn;
  }

  // Finds a bar of the former picture in the new picture.
  again(bar) {
    if (!bar) return null;
    const all = this.rows
      .flatMap((row) => row.bars)
      .filter((one) => isSame(one.request, bar.request));
    const alike = all.filter((one) => one.kind === bar.kind && one.step === bar.step);
    return alike.find((one) => one.fromUs === bar.fromUs) ?? alike[0] ?? all[0] ?? bar;
  }

  choose(bar, isNew = true) {
    this.chosen = bar;
    this.light(null);
    const isHere = bar !== null && this.rows.some((row) => row.bars.includes(bar));
    this.cursor.setAttribute("visibility", isHere ? "visible" : "hidden");
    if (isHere) {
      const box = { x: bar.x - 3, y: bar.y - 2, width: bar.width + 6, height: ROW - 2 };
      for (const [name, value] of Object.entries(box)) this.cursor.setAttribute(name, value);
    }
    if (isNew) this.onChoose(bar?.request ?? null, bar);
  }

  // Lights up all bars of the request below the mouse, or of the chosen one.
  light(hovered) {
    const request = hovered?.request ?? this.chosen?.request ?? null;
    this.picture.classList.toggle("has-choice", request !== null);
    for (const row of this.rows) {
      for (const bar of row.bars) {
        const isOf = request !== null && isSame(bar.request, request);
        if (isOf && !bar.drawn) row.group.append(this.drawBar(bar));
        bar.drawn?.classList.toggle("chosen", isOf);
      }
    }
  }

  // The bar at this place, or up to 6 pixels beside it.
  find(event) {
    const box = this.picture.getBoundingClientRect();
    const x = event.clientX - box.left;
    const row = this.rows[Math.floor((event.clientY - box.top - AXIS) / ROW)];
    const away = (bar) => Math.max(bar.x - x, x - bar.x - bar.width, 0);
    const near = (row?.bars ?? []).filter((bar) => away(bar) <= 6);
    return near.sort((one, other) => away(one) - away(other) || one.width - other.width)[0] ?? null;
  }

  onClick(event) {
    this.choose(this.find(event));
  }

  onHover(event) {
    const bar = this.find(event);
    this.light(bar);
    this.hint.textContent = bar ? barText(bar) : "";
  }

  onKey(event) {
    if (event.key === "Escape") {
      this.choose(null);
      return;
    }
    if (!event.key.startsWith("Arrow") && event.key !== "Home" && event.key !== "End") return;
    event.preventDefault();
    const next = this.neighbour(event.key);
    if (!next) return;
    this.choose(next);
    // The row may be outside of the visible part of the picture.
    this.cursor.scrollIntoView({ block: "nearest" });
  }

  neighbour(key) {
    const full = this.rows.filter((row) => row.bars.length > 0);
    const at = full.findIndex((row) => row.bars.includes(this.chosen));
    if (at < 0) return full[0]?.bars[full[0].bars.length - 1];
    const bars = full[at].bars;
    const place = bars.indexOf(this.chosen);
    if (key === "ArrowLeft") return bars[place - 1];
    if (key === "ArrowRight") return bars[place + 1];
    if (key === "Home") return bars[0];
    if (key === "End") return bars[bars.length - 1];
    const other = full[at + (key === "ArrowUp" ? -1 : 1)];
    const distance = (bar) => Math.abs(bar.fromUs - this.chosen.fromUs);
    return other?.bars.reduce((best, bar) => (distance(bar) < distance(best) ? bar : best));
  }
}

function isSame(one, other) {
  return one.request === other.request;
}

function barText(bar) {
  const { request } = bar;
  return (
    `${methodText(request.method)} · request ${request.request} · ${request.client}\n${bar.kind} ${bar.where} ` +
    `${duration((bar.toUs - bar.fromUs) / 1000)}${bar.note ? ` · ${bar.note}` : ""}\n` +
    outcomeOf(request).text
  );
}
