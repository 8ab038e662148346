"""results.json as Markdown."""
from statistics import median


def key(case):
    return tuple(case[name] for name in ("customers", "format", "skew", "limit"))


def title(case):
    limit = "" if case["limit"] == "none" else f", {case['limit']}"
    return f"{case['customers']} {case['format']} {case['skew']}{limit}"


def middle(line, what):
    values = [run[what] for run in line["runs"] if what in run]
    return median(values) if values else None


def markdown(result):
    about = result["machine"]
    text = ["# lensflow and its peers", "", "; ".join(f"{name} {value}" for name, value in about.items()), "",
            "| customers | input | limit | engine | wall, s | start-up, s | CPU, s | rows/s | × lensflow | peak, GiB | answers agree | notes |",
            "|---|---|---|---|--:|--:|--:|--:|--:|--:|---|---|"]
    cases = [case for case in result["cases"] if case["skew"] != "kinds"]
    for case in cases:
        for line in case["lines"]:
            text.append(row(case["customers"], f"{case['format']}, {case['skew']}", case["limit"], line["name"], *measured(case, line)))
        if not case["lines"]:
            text.append(row(case["customers"], f"{case['format']}, {case['skew']}", case["limit"], "all", *["–"] * 7, case["note"]))
    for case in (case for case in result["cases"] if case["skew"] == "kinds"):
        text += ["", f"lensflow on other inputs, {case['customers']} customers, Parquet, per row:", "",
                 "| input | rows | wall, s | ns a row | × baseline | peak, GiB | notes |", "|---|--:|--:|--:|--:|--:|---|"]
        base = per_row(case["lines"][0])
        for line in case["lines"]:
            cost = per_row(line)
            cells = [f"{line['rows']:,}", f"{middle(line, 'wall'):.2f}", f"{cost:.0f}", f"{cost / base:.2f}" if base else "–", gib(line)] if cost else ["–"] * 5
            text.append(row(line["name"], *cells, notes(case, line)))
    differing = [row(title(case), line["name"], rows_that_differ(rows)) for case in cases for line in case["lines"]
                 if (rows := line.get("agreement", {}).get("rows"))]
    if differing:
        text += ["", "RFM rows that differ from lensflow's, compared one by one up to 1M customers:", "", "| case | engine | differing rows |", "|---|---|---|", *differing]
    return "\n".join(text) + "\n"


def row(*cells):
    return f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


def rows_that_differ(rows):
    differing = [f"{name} {count:,}" for name, count in rows.items() if count and name != "compared"]
    return f"{', '.join(differing) or 'none'} of {rows['compared']:,}"


def measured(case, line):
    wall, inside = middle(line, "wall"), middle(line, "inside")
    if wall is None:
        return ["–"] * 7 + [notes(case, line)]
    base = next((middle(other, "wall") for other in case["lines"] if other["name"] == "lensflow"), None)
    agreement = line.get("agreement")
    agree = "–" if not agreement else f"all {agreement['checked']}" if not agreement["differs"] else "no: " + "; ".join(agreement["differs"])
    return [f"{wall:.2f}", f"{wall - inside:.2f}" if inside else "–", f"{middle(line, 'cpu'):.2f}", f"{line['rows'] / wall:,.0f}" if line["rows"] else "–",
            f"{wall / base:.2f}" if base else "–", gib(line), agree, notes(case, line)]


def notes(case, line):
    found = [note for note in (case["note"], line["note"], line["warning"]) if note]
    decode = next((middle(other, "wall") for other in case["lines"] if other["name"] == "bare decode"), None)
    if line["name"] == "lensflow, reports only" and decode and line["runs"]:
        found.append(f"{middle(line, 'wall') / decode:.2f} × bare decode")
    if (others := middle(line, "others") or 0) > 0.1 and middle(line, "wall") > 0.5:  # finer than the kernel's ticks
        found.append(f"others kept {others:.1f} cores busy")
    return "; ".join(found)


def per_row(line):
    return middle(line, "wall") / line["rows"] * 1e9 if line["runs"] and line["rows"] else None


def gib(line):
    return f"{max(run['peak'] for run in line['runs']) / 2**30:.2f}"
