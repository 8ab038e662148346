"""The audit job in Polars' streaming engine. Same outputs as `lensflow audit` with the windows 2023-01..2023-07 and 2023-07..2024-01.
Usage: polars_streaming.py PERIODS(.parquet|.csv) OUT_DIR
Codec and rounding as the others have them: snappy, halves away from zero. Threads: POLARS_MAX_THREADS.
"""
import json, os, resource, sys, time
from datetime import datetime
import polars as pl
src, out = sys.argv[1], sys.argv[2]
os.makedirs(out, exist_ok=True)
t0 = time.time()
lf = pl.scan_parquet(src) if src.endswith("parquet") else pl.scan_csv(src, try_parse_dates=True, schema_overrides={"total_spend": pl.Decimal(18, 2)})
first = pl.col("period_start") < datetime(2023, 7, 1)
aggs = []
for w, c in ((1, first), (2, ~first)):
    aggs += [pl.col("period_start").filter(c).min().alias(f"b{w}"), pl.col("last_transaction_ts").filter(c).max().alias(f"r{w}"), pl.col("total_orders").filter(c).sum().alias(f"f{w}"),
             pl.col("total_spend").filter(c).sum().alias(f"m{w}")]
s = lf.group_by("customer_id").agg(aggs).collect(engine="streaming")
t1 = time.time()
res = {}


def inner_edges(d, col):
    q = d[col].cast(pl.Float64)
    return sorted({q.quantile(p, interpolation="linear") for p in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)})[1:-1]


def binned(col, edges):
    e = pl.lit(1)
    for x in edges:
        e = e + (pl.col(col).cast(pl.Float64) > x).cast(pl.Int32)
    return e


for w, end in ((1, datetime(2023, 7, 1)), (2, datetime(2024, 1, 1))):
    d = s.lazy().filter(pl.col(f"f{w}") > 0).select(
        "customer_id", (pl.lit(end) - pl.col(f"r{w}")).dt.total_days().alias("recency_days"), pl.col(f"f{w}").alias("frequency"),
        (pl.col(f"m{w}").cast(pl.Float64) / pl.col(f"f{w}")).round(2, mode="half_away_from_zero").alias("monetary"), pl.col(f"m{w}").alias("total_spend"), pl.col(f"b{w}").alias("observation_start")).collect()
    n = len(d)
    spend = d["total_spend"].cast(pl.Float64).sort(descending=True)
    total = spend.sum()
    er, ef, em = (inner_edges(d, c) for c in ("recency_days", "frequency", "monetary"))
    d = d.with_columns((len(er) + 2 - binned("recency_days", er)).alias("r_score"), binned("frequency", ef).alias("f_score"), binned("monetary", em).alias("m_score"))
    cells = d.group_by("r_score", "f_score", "m_score").len()
    d.with_columns(pl.lit(f"h{w}").alias("window"), pl.lit(end).alias("observation_end"), pl.concat_str("r_score", "f_score", "m_score").alias("rfm_score")).write_parquet(f"{out}/rfm_w{w}.parquet", compression="snappy")
    res[w] = dict(n=n, one=int((d["frequency"] == 1).sum()), rev=round(total, 2), orders=int(d["frequency"].sum()), median=spend.median(),
                  top={p: round(spend[: n * p // 100].sum() / total * 100, 2) for p in (10, 20)}, cells=len(cells))
t2 = time.time()
res["l2"] = s.select(((pl.col("f1") > 0) & (pl.col("f2") > 0)).sum().alias("a"), ((pl.col("f1") > 0) & (pl.col("f2") == 0)).sum().alias("b"),
                     ((pl.col("f1") == 0) & (pl.col("f2") > 0)).sum().alias("c")).row(0)
t3 = time.time()
print(json.dumps(res))
print("agg %.2f lens+write %.2f lens2 %.2f total %.2f rss %.0fMB" % (t1 - t0, t2 - t1, t3 - t2, t3 - t0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
