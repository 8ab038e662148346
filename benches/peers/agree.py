"""Do the engines say the same? Runs in the peers' virtual environment: DuckDB reads everybody's Parquet.
Usage: agree.py [--join] LENSFLOW_OUT PEER_OUT.. ; prints JSON, for each PEER_OUT what differs and, with --join, in how many rows.
"""
import json, sys
from pathlib import Path
import duckdb

join = "--join" in sys.argv
base, *peers = [arg for arg in sys.argv[1:] if arg != "--join"]
con = duckdb.connect()
con.execute(f"set threads=2; set memory_limit='4GB'; set temp_directory='{base}/agree_tmp'")


def answers_of_lensflow(out):
    report = json.loads(Path(out, "audit.json").read_text())
    answers = {}
    for window in report["windows"]:
        lens = window["lens1"]
        answers |= {f"{window['name']} {name}": lens[key] for name, key in (
            ("customers", "total_customers"), ("orders", "total_orders"), ("one-time buyers", "one_time_buyers"), ("revenue", "total_revenue"))}
        answers |= {f"{window['name']} top {p} %": share for p, share in lens["revenue_concentration"].items()}
        answers[f"{window['name']} RFM cells"] = len(lens["rfm_distribution"])
    lens = report["comparisons"][0]["lens2"]
    # Lens 2 tells who is new from who came back; nobody was there before the first window, and the peers do not ask.
    return answers | {"retained": lens["retained"], "churned": lens["churned"], "new": lens["new"] + lens["reactivated"]}


def answers_of_peer(out):
    said = json.loads(Path(out, "stdout").read_text().splitlines()[0])
    answers = {}
    for number, name in (("1", "h1"), ("2", "h2")):
        window = said[number]
        answers |= {f"{name} {label}": window[key] for label, key in (
            ("customers", "n"), ("orders", "orders"), ("one-time buyers", "one"), ("revenue", "rev"), ("RFM cells", "cells"))}
        answers |= {f"{name} top {p} %": share for p, share in window["top"].items()}
    return answers | dict(zip(("retained", "churned", "new"), said["l2"]))


def sums(out):
    """Per window; the last two only roughly, for engines that divide or interpolate in another order."""
    columns = "count(*), sum(frequency), sum(total_spend)::decimal(38,2), sum(recency_days), sum(monetary::double), sum(r_score + f_score + m_score)"
    rows = con.execute(f"select \"window\", {columns} from read_parquet('{out}/rfm*.parquet') group by 1 order by 1").fetchall()
    names = ("rows", "frequency", "total_spend", "recency_days", "monetary", "scores")
    return {f"{row[0]} sum of {name}": value for row in rows for name, value in zip(names, row[1:])}


def same(name, a, b):
    if b is None:
        return False
    a, b = float(a), float(b)
    rough = name.endswith(("monetary", "scores"))
    cents = any(word in name for word in ("revenue", "spend", "top"))
    return abs(a - b) <= (1e-4 * abs(a) if rough else 0.010001 if cents else 0)


expected = answers_of_lensflow(base) | sums(base)
result = {}
for peer in peers:
    got = answers_of_peer(peer) | sums(peer)
    result[peer] = {"checked": len(expected), "differs": [f"{name}: {a} and {got.get(name)}" for name, a in expected.items() if not same(name, a, got.get(name))]}
    if join:
        differs = {name: f"a.{name} is distinct from b.{name}" for name in (
            "recency_days", "frequency", "total_spend", "observation_start", "observation_end", "r_score", "f_score", "m_score", "rfm_score")}
        differs["monetary"] = "a.monetary::decimal(18,2) is distinct from b.monetary::decimal(18,2)"
        counts = ", ".join(f"count(*) filter (a.customer_id is not null and b.customer_id is not null and {test})" for test in differs.values())
        row = con.execute(f"""select count(*), count(*) filter (a.customer_id is null or b.customer_id is null), {counts}
            from read_parquet('{base}/rfm*.parquet') a full join read_parquet('{peer}/rfm*.parquet') b
            on a."window" = b."window" and a.customer_id = b.customer_id""").fetchone()
        result[peer]["rows"] = dict(zip(("compared", "only in one", *differs), row))
print(json.dumps(result, default=str))
