#!/usr/bin/env python3
"""Time and memory against customers, both logarithmic, a line per engine; dashed under a memory limit.
Usage: plot.py results.json scale.svg
"""
import json, math, sys
from html import escape
from statistics import median

ENGINES = {"lensflow": "lensflow", "duckdb": "DuckDB", "polars": "Polars"}
STYLE = """
svg { --page: #ffffff; --ink: #1f2328; --soft: #59636e; --grid: #e3e6ea; --lensflow: #1f6fd6; --duckdb: #c2570c; --polars: #0f7f6e; }
@media (prefers-color-scheme: dark) {
  svg { --page: #15191f; --ink: #e6e9ed; --soft: #9aa4af; --grid: #2b323a; --lensflow: #6cb0ff; --duckdb: #ff9a52; --polars: #45cbb2; }
}
text { font: 13px system-ui, sans-serif; fill: var(--soft); } .head { font-weight: 600; font-size: 15px; fill: var(--ink); }
.lensflow { --c: var(--lensflow); } .duckdb { --c: var(--duckdb); } .polars { --c: var(--polars); }
.line { fill: none; stroke: var(--c); stroke-width: 2.2; } .limited { stroke-dasharray: 6 4; } .dot { fill: var(--c); stroke: var(--page); stroke-width: 1.5; }
.label { fill: var(--c); font-weight: 600; paint-order: stroke; stroke: var(--page); stroke-width: 4; } .grid { stroke: var(--grid); } .lead { stroke: var(--c); stroke-width: 0.8; opacity: 0.6; }
"""
LEFT, TOP, WIDTH, HEIGHT, LABELS, GAP = 62, 74, 300, 300, 128, 20  # of one panel


def number(text):
    return float(text.rstrip("KMG")) * {"K": 1e3, "M": 1e6, "G": 1e9}.get(text[-1], 1)


def series(result):
    """The engines' lines for the first format and skew there is, Parquet and uniform before others."""
    cases = [case for case in result["cases"] if case["skew"] != "kinds"]
    order = lambda case: (case["format"] != "parquet", case["skew"] != "uniform")
    if not cases:
        return "", {}
    first = min(cases, key=order)
    found = {}
    for case in cases:
        if (case["format"], case["skew"]) == (first["format"], first["skew"]):
            for line in case["lines"]:
                if line["name"] in ENGINES and line["runs"]:
                    runs = line["runs"]
                    point = number(case["customers"]), median(run["wall"] for run in runs), max(run["peak"] for run in runs) / 2**30
                    found.setdefault((line["name"], case["limit"]), []).append(point)
    return f"{first['format'].replace('csv', 'CSV').replace('parquet', 'Parquet')}, {first['skew']}", {k: sorted(v) for k, v in found.items()}


def ticks(low, high):
    """The 1, 2, 5 or, over many decades, the 1 of each decade; the axis ends on one of them."""
    steps = (1, 2, 5) if high / low < 200 else (1,)
    every = [step * 10.0**power for power in range(-4, 12) for step in steps]
    below, above = max(t for t in every if t <= low * 1.0001), min(t for t in every if t >= high * 0.9999)
    return [t for t in every if below <= t <= above] if below < above else [below, next(t for t in every if t > below)]


def short(value):
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def spread(wanted, apart=17):
    """Labels as near to where they belong as they fit: neighbours too close become a block around their middle."""
    blocks = []
    for y in sorted(wanted):
        blocks.append([y, [y]])
        while len(blocks) > 1 and blocks[-1][0] - blocks[-2][0] < apart * (len(blocks[-1][1]) + len(blocks[-2][1])) / 2:
            _, members = blocks.pop()
            blocks[-1][1].extend(members)
            blocks[-1][0] = sum(blocks[-1][1]) / len(blocks[-1][1])
    return [middle + (at - (len(members) - 1) / 2) * apart for middle, members in blocks for at in range(len(members))]


def panel(left, heading, unit, lines, value):
    points = [(p[0], p[value]) for line in lines.values() for p in line]
    xs, ys = sorted({x for x, _ in points}), ticks(min(y for _, y in points), max(y for _, y in points))
    wide = math.log(xs[-1] / xs[0]) or 1.0
    at_x = lambda x: left + 14 + (WIDTH - 28) * (math.log(x / xs[0]) / wide if len(xs) > 1 else 0.5)
    at_y = lambda y: TOP + HEIGHT - HEIGHT * math.log(y / ys[0]) / math.log(ys[-1] / ys[0])
    out = [f'<text class="head" x="{left}" y="{TOP - 20}">{heading}</text>']
    for y in ys:
        out.append(f'<line class="grid" x1="{left}" x2="{left + WIDTH}" y1="{at_y(y):.1f}" y2="{at_y(y):.1f}"/>')
        out.append(f'<text x="{left - 8}" y="{at_y(y) + 4:.1f}" text-anchor="end">{y:g} {unit}</text>')
    for x in xs:
        out.append(f'<line class="grid" x1="{at_x(x):.1f}" x2="{at_x(x):.1f}" y1="{TOP}" y2="{TOP + HEIGHT}"/>')
        out.append(f'<text x="{at_x(x):.1f}" y="{TOP + HEIGHT + 20}" text-anchor="middle">{short(x)}</text>')
    out.append(f'<text x="{left + WIDTH / 2}" y="{TOP + HEIGHT + 42}" text-anchor="middle">customers</text>')
    ends, early = [], []
    for (engine, limit), line in lines.items():
        path = [(at_x(p[0]), at_y(p[value])) for p in line]
        out.append(f'<polyline class="line {engine}{"" if limit == "none" else " limited"}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in path)}"/>')
        out += [f'<circle class="dot {engine}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in path]
        (x, y), label = path[-1], escape(ENGINES[engine] + ("" if limit == "none" else f", {limit}"))
        (ends if line[-1][0] == xs[-1] else early).append((y, x, engine, label))
    ends.sort()
    for x in {x for _, x, *_ in early}:  # those that went no further: labels above the points, none over another
        above = math.inf
        for y, _, engine, label in sorted((end for end in early if end[1] == x), reverse=True):
            above = min(y - 11, above - 17)
            out.append(f'<text class="label {engine}" x="{x - 8:.1f}" y="{above:.1f}" text-anchor="end">{label}</text>')
    for (y, x, engine, label), place in zip(ends, spread([end[0] for end in ends])):
        out.append(f'<line class="lead {engine}" x1="{x + 6:.1f}" y1="{y:.1f}" x2="{left + WIDTH + 8}" y2="{place:.1f}"/>')
        out.append(f'<text class="label {engine}" x="{left + WIDTH + 12}" y="{place + 4:.1f}">{label}</text>')
    return out


def main(source, target):
    with open(source) as file:
        result = json.load(file)
    what, lines = series(result)
    if not lines:
        return print("nothing to draw", file=sys.stderr)
    about, second = result["machine"], LEFT + WIDTH + LABELS + GAP + LEFT
    width, height = second + WIDTH + LABELS, TOP + HEIGHT + 62
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
           f"<title>Time and peak memory against customers</title><style>{STYLE}</style>", f'<rect width="{width}" height="{height}" style="fill: var(--page)"/>',
           f'<text x="{LEFT}" y="26">{escape(what)}; {about["threads"]} threads; lensflow {about["lensflow"]}, DuckDB {about["duckdb"]}, Polars {about["polars"]}</text>',
           *panel(LEFT, "Wall time", "s", lines, 1), *panel(second, "Peak memory", "GiB", lines, 2), "</svg>"]
    with open(target, "w") as file:
        file.write("\n".join(svg) + "\n")


main(*sys.argv[1:])
