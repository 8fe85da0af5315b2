"""plots.py: turns a plot, given as data, into a gnuplot script, and the script into an SVG.

A plot is a plain dict: name, title, x, y (labels), series, and
    kind "lines"     series: [{"label", "points": [[x, y], ...]}]; log: "x", "y", "xy" or ""
    kind "timeline"  series: [{"label", "bars": [[from, to, share], ...]}]; range: [from, to];
                     drawn one above the other, each bar as high as its share of 1
"""

import json
import subprocess
from pathlib import Path
from typing import Any

COLORS = ("#c0392b", "#2471a3", "#1e8449", "#b9770e", "#7d3c98", "#566573", "#148f77", "#000000")


def quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def head(plot: dict[str, Any], height: int) -> list[str]:
    return [
        "set encoding utf8",
        f"set terminal svg size 860,{height} font 'sans,13' background '#ffffff' noenhanced",
        f"set output {quote(plot['name'] + '.svg')}",
        f"set title {quote(plot['title'])}",
        f"set xlabel {quote(plot['x'])}",
        f"set ylabel {quote(plot['y'])}",
        "set grid lc rgb '#dddddd'",
        "set border lc rgb '#888888'",
    ]


def data_block(index: int, rows: list[list[float]]) -> list[str]:
    return [f"$data{index} << end", *(" ".join(f"{x:.8g}" for x in row) for row in rows), "end"]


def lines_script(plot: dict[str, Any]) -> str:
    lines = head(plot, 460) + ["set key outside right top"]
    lines += [f"set logscale {axis}" for axis in plot.get("log", "")]
    if "y" not in plot.get("log", ""):
        lines.append("set yrange [0:*]")
    drawn = []
    for index, series in enumerate(plot["series"]):
        lines += data_block(index, series["points"])
        color = COLORS[index % len(COLORS)]
        width = 3 if index == 0 else 2
        drawn.append(f"$data{index} using 1:2 with linespoints pt 7 ps 0.4 lw {width} "
                     f"lc rgb '{color}' title {quote(series['label'])}")
    if "x_labels" in plot:  # the axis is not linear in the values that it shows
        lines.append("set xtics (" + ", ".join(
            f"{quote(label)} {at:.8g}" for at, label in plot["x_labels"]) + ")")
    return "\n".join([*lines, "plot " + ", \\\n     ".join(drawn), ""])


def timeline_script(plot: dict[str, Any]) -> str:
    count = len(plot["series"])
    lines = head(plot, 120 + 34 * count) + ["unset key", "set style fill solid noborder"]
    lines.append("set xrange [{}:{}]".format(*plot["range"]))
    lines.append(f"set yrange [{-count + 0.4}:1.0]")
    labels = ", ".join(f"{quote(s['label'])} {-i + 0.4}" for i, s in enumerate(plot["series"]))
    lines.append(f"set ytics ({labels}) scale 0")
    drawn = []
    for index, series in enumerate(plot["series"]):
        boxes = [[begin, -index, begin, end, -index, -index + 0.8 * min(1, share)]
                 for begin, end, share in series["bars"]]
        if not boxes:
            continue
        lines += data_block(index, boxes)
        color = COLORS[series.get("color", index) % len(COLORS)]
        drawn.append(f"$data{index} using 1:2:3:4:5:6 with boxxyerror lc rgb '{color}'")
    return "\n".join([*lines, "plot " + ", \\\n     ".join(drawn), ""]) if drawn else ""


SCRIPTS = {"lines": lines_script, "timeline": timeline_script}


def script(plot: dict[str, Any]) -> str:
    """Empty when there is nothing to draw."""
    if not any(series.get("points") or series.get("bars") for series in plot["series"]):
        return ""
    drawable = [s for s in plot["series"] if s.get("points") or plot["kind"] == "timeline"]
    return SCRIPTS[plot["kind"]](plot | {"series": drawable})


def draw(plots: list[dict[str, Any]], folder: Path) -> None:
    """NAME.gp and NAME.svg for each."""
    for plot in plots:
        text = script(plot)
        if not text:
            continue
        path = folder / f"{plot['name']}.gp"
        path.write_text(text)
        subprocess.run(["gnuplot", path.name], cwd=folder, check=True, timeout=60)
