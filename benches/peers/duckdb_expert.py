"""The audit job in DuckDB SQL, written as an expert would: one GROUP BY per customer, then exact order statistics
from value histograms (no sorts over customers). Same outputs as `lensflow audit` with two windows.
Usage: duckdb_expert.py PERIODS(.parquet|.csv) OUT_DIR [MEMORY_LIMIT] ; prints JSON answers, then timings and peak RSS.
Threads: PEER_THREADS, 2 by default. PEER_LINES=1: the input is order lines, as `lensflow generate --as transactions` makes them; PEER_LINES=once:
a line of an order that is there twice ends the job.
"""
import duckdb, json, math, os, resource, sys, time
src, out = sys.argv[1], sys.argv[2]
mem = sys.argv[3] if len(sys.argv) > 3 else "18GB"
os.makedirs(out, exist_ok=True)
t0 = time.time()
con = duckdb.connect()
con.execute(f"set threads={os.environ.get('PEER_THREADS', '2')}; set memory_limit='{mem}'; set preserve_insertion_order=false; set temp_directory='{out}/duck_tmp'")
rel = f"read_parquet('{src}')" if src.endswith("parquet") else f"""read_csv('{src}', header=true, columns={{customer_id:'VARCHAR',period_start:'TIMESTAMP',period_end:'TIMESTAMP',total_orders:'BIGINT',total_spend:'DECIMAL(18,2)',total_margin:'DECIMAL(18,2)',total_quantity:'BIGINT',last_transaction_ts:'TIMESTAMP'}})"""
once = ""
if os.environ.get("PEER_LINES"):
    # Orders and line items: an order is its lines, and a row like any other, in a period of its own.
    different = ""
    if os.environ["PEER_LINES"] == "once":
        # Lists of hashes take 1.9 s for 12 million lines; count(distinct hash) takes 4.5 s, and grouping by all columns first 3.7 s.
        rel = f"(select *, hash(customer_id, event_ts, product_id, quantity, unit_price, unit_cost) line from {rel})"
        once, different = ", bool_and(different) once", ", len(list(line)) = len(list_distinct(list(line))) different"
    rel = f"""(select any_value(customer_id) customer_id, min(event_ts) period_start, min(event_ts) last_transaction_ts, 1 total_orders,
      round(sum(quantity*unit_price),2)::decimal(18,2) total_spend{different} from {rel} group by order_id)"""
CUT = "timestamp '2023-07-01'"
con.execute(f"""create temp table s as select customer_id,
 min(period_start) filter (period_start<{CUT}) b1, min(period_start) filter (period_start>={CUT}) b2,
 max(last_transaction_ts) filter (period_start<{CUT}) r1, coalesce(sum(total_orders) filter (period_start<{CUT}),0)::bigint f1, sum(total_spend) filter (period_start<{CUT})::decimal(18,2) m1,
 max(last_transaction_ts) filter (period_start>={CUT}) r2, coalesce(sum(total_orders) filter (period_start>={CUT}),0)::bigint f2, sum(total_spend) filter (period_start>={CUT})::decimal(18,2) m2{once}
 from {rel} group by customer_id""")
if once and con.execute("select not bool_and(once) from s").fetchone()[0]:
    sys.exit("a line of an order is there twice")
t1 = time.time()


def hist(w, expr):
    return con.execute(f"select {expr} v, count(*) c from w{w} group by 1 order by 1").fetchall()


def at(h, cum, i):  # value at rank i
    import bisect
    return h[bisect.bisect_right(cum, i)][0]


def edges(h, n, q=5):
    cum, c = [], 0
    for _, k in h:
        c += k
        cum.append(c)
    es = []
    for k in range(q + 1):
        p = 1.0 if k == q else k * (1.0 / q)
        v = (n - 1) * p; i = math.floor(v); g = v - i
        a, b = float(at(h, cum, i)), float(at(h, cum, min(i + 1, n - 1)))
        e = b - (b - a) * (1 - g) if g >= 0.5 else a + (b - a) * g
        if not es or e != es[-1]:
            es.append(e)
    return es


res = {}
for w, end in ((1, "2023-07-01"), (2, "2024-01-01")):
    con.execute(f"""create temp table w{w} as select customer_id, b{w} observation_start, (date_diff('second',r{w},timestamp '{end}')//86400)::int as recency_days,
      f{w} frequency, round(m{w}::decimal(28,12)/f{w},2)::decimal(18,2) monetary, m{w} total_spend from s where f{w}>0""")
    hr, hf, hm, hs = (hist(w, c) for c in ("recency_days", "frequency", "monetary", "total_spend"))
    n = sum(c for _, c in hr)
    total = sum(v * c for v, c in hs)
    tops = {}
    for p in (10, 20):
        k, acc = max(1, n * p // 100), 0
        left = k
        for v, c in reversed(hs):
            take = min(c, left); acc += v * take; left -= take
            if not left: break
        tops[p] = str(round(acc * 100 / total, 2))
    er, ef, em = edges(hr, n), edges(hf, n), edges(hm, n)

    def bin_(col, e):
        return "(1" + "".join(f"+({col}>{x!r})::int" for x in e[1:-1]) + ")"
    r = f"({len(er) - 1}+1-{bin_('recency_days', er)})"
    sc = f"select *, {r} r_score, {bin_('frequency', ef)} f_score, {bin_('monetary::double', em)} m_score from w{w}"
    con.execute(f"copy (select 'h{w}' as window, customer_id, recency_days, frequency, monetary, total_spend, observation_start, timestamp '{end}' as observation_end, r_score::tinyint r_score, f_score::tinyint f_score, m_score::tinyint m_score, (r_score*100+f_score*10+m_score)::varchar as rfm_score from ({sc})) to '{out}/rfm_w{w}.parquet' (format parquet)")
    dist = con.execute(f"select rfm_score, count(*) from '{out}/rfm_w{w}.parquet' group by 1").fetchall()
    res[w] = dict(n=n, one=dict(hf).get(1, 0), rev=str(total), orders=sum(v * c for v, c in hf), top=tops, cells=len(dist))
t2 = time.time()
res["l2"] = con.execute("select count(*) filter (f1>0 and f2>0),count(*) filter (f1>0 and f2=0),count(*) filter (f1=0 and f2>0) from s").fetchone()
t3 = time.time()
print(json.dumps(res))
print("agg %.2f lens+write %.2f lens2 %.2f total %.2f rss %.0fMB" % (t1 - t0, t2 - t1, t3 - t2, t3 - t0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
