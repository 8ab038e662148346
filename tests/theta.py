#!/usr/bin/env python3
"""Sketches of lensflow, read by the C++ library of Apache DataSketches (PyPI: datasketches), and the other way round.

usage: theta.py LENSFLOW FOLDER      (needs `pip install datasketches==5.2.0`)"""
import json, subprocess, sys
from pathlib import Path
from datasketches import compact_theta_sketch, theta_a_not_b, theta_intersection, theta_union, update_theta_sketch

lensflow, folder = sys.argv[1], Path(sys.argv[2])


def run(*arguments):
    return subprocess.run([lensflow, *map(str, arguments)], check=True, capture_output=True, text=True, cwd=folder).stdout


def rows(name, ids, month):
    lines = [f"{i},2023-{month:02}-03,2023-{month:02}-04,1,5.00\n" for i in ids]
    (folder / name).write_text("customer_id,period_start,period_end,total_orders,total_spend\n" + "".join(lines))


def cpp(lg_k, ids):
    """What the C++ library makes of the same ids, in the canonical form: the 2^k least hashes."""
    sketch, union = update_theta_sketch(lg_k), theta_union(lg_k)
    for i in ids:
        sketch.update(i)
    union.update(sketch)
    return union.get_result()


first = [f"C-{i:09}" for i in range(20_000)] + ["é客", "67b4ec1f-cb69-4545-ad7f-049a5e3defad"]
second = [f"C-{i:09}" for i in range(12_000, 45_000)]
rows("first.csv", first, 1)
rows("second.csv", second, 2)
for lg_k in (5, 12, 16):
    files = []
    for name, ids, window in (("first", first, "2023-01"), ("second", second, "2023-02")):
        run("sketch", f"{name}.csv", "--window", window, "--lg-k", lg_k, "-o", f"{name}.theta")
        ours, theirs = (folder / f"{name}.theta").read_bytes(), cpp(lg_k, ids)
        assert ours == theirs.serialize(), f"{name}, k = 2^{lg_k}: other bytes than the C++ library's"
        read = compact_theta_sketch.deserialize(ours)
        assert read.get_estimate() == theirs.get_estimate() and abs(read.get_estimate() / len(ids) - 1) < 3 / 2 ** (lg_k / 2)
        (folder / f"{name}.cpp").write_bytes(theirs.serialize())
        files.append(read)
    both = theta_intersection()
    both.update(files[0])
    both.update(files[1])
    retained, churned = both.get_result(), theta_a_not_b().compute(files[0], files[1])
    for a, b in (("first.theta", "second.theta"), ("first.cpp", "second.cpp")):
        said = json.loads(run("compare", a, b, "--json"))
        for what, theirs in (("retained", retained), ("churned", churned)):
            if said[what] is not None:
                bounds = [theirs.get_estimate(), theirs.get_lower_bound(2), theirs.get_upper_bound(2)]
                ours = [said[what][key] for key in ("estimate", "low", "high")]
                assert all(abs(x - y) <= 0.51 for x, y in zip(ours, bounds)), f"{what}: {ours}, and {bounds} in C++"
print("sketches are those of the C++ library, byte for byte")
