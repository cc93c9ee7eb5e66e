"""How the comparisons measure: runs of two programs in turn, processes with their peak memory, results as
rows, and the rows as Markdown, JSON and a bar chart.

A row says how many times faster onoma is than its peer (or smaller): the median over pairs, beside the
least and the greatest. Machines are noisy: the times of a pair are seconds apart, so that a ratio is
steadier than either of them.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path


def in_turn(ours, theirs, pairs, pause=0.2):
    """[(seconds, seconds)]: each side's threads sleep while the other is timed."""
    found = []
    for _ in range(pairs):
        a = ours()
        time.sleep(pause)
        b = theirs()
        time.sleep(pause)
        found.append((a, b))
    return found


def row(case, pairs, peer, goal=None, unit="ms", check="", note=""):
    """`pairs` in seconds or whatever `unit` says of them; `goal`: the least speed-up."""
    scale = 1e3 if unit == "ms" else 1
    ratios = [b / a for a, b in pairs]
    return {"case": case, "unit": unit, "peer": peer, "pairs": len(pairs), "goal": goal,
            "onoma": scale * statistics.median(a for a, _ in pairs),
            "theirs": scale * statistics.median(b for _, b in pairs),
            "ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios),
            "check": check, "note": note}


def figure(case, value, limit, unit, note=""):
    """A figure with a limit and no peer."""
    return {"case": case, "unit": unit, "peer": "", "onoma": value, "limit": limit, "note": note}


def run_process(command, stdin=""):
    """(seconds, peak memory in bytes, output) of a process from start to end. A small process starts it:
    Linux counts the memory of the one that forks into the peak of its child."""
    helper = [sys.executable, "-S", __file__, *map(str, command)]
    answer = json.loads(subprocess.run(helper, input=stdin, check=True, stdout=subprocess.PIPE,
                                       text=True).stdout)
    if answer["status"] != 0:
        raise RuntimeError(f"{command[0]} ended with {answer['status']}")
    return answer["seconds"], answer["memory"], answer["output"]


def start_and_wait(command):
    stdin = sys.stdin.read()
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(stdin)
    process.stdin.close()
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    print(json.dumps({"seconds": seconds, "memory": usage.ru_maxrss * 1024, "output": output,
                      "status": process.returncode}))


def digits(value):
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def markdown(rows):
    lines = ["| case | onoma | peer | times as fast (min - max) | goal | checked |",
             "|---|---|---|---|---|---|"]
    for r in rows:
        mine = f"{digits(r['onoma'])} {r['unit']}"
        if not r["peer"]:
            met = "met" if r["onoma"] <= r["limit"] else "not met"
            lines.append(f"| {r['case']} | {mine} | | | at most {digits(r['limit'])} {r['unit']}: "
                         f"{met} | {r['note']} |")
            continue
        goal = ""
        if r["goal"]:
            goal = f"{r['goal']:.2f}: " + ("met" if r["ratio"] >= r["goal"] else "not met")
        remarks = "; ".join(x for x in (r["check"], r["note"]) if x)
        lines.append(f"| {r['case']} | {mine} | {digits(r['theirs'])} {r['unit']}, {r['peer']} | "
                     f"{r['ratio']:.2f} ({r['ratio_min']:.2f} - {r['ratio_max']:.2f}) | {goal} | "
                     f"{remarks} |")
    return "\n".join(lines) + "\n"


def chart(rows, title):
    """An SVG with a bar per row that has a peer: its speed-up on a logarithmic scale, the spread as a
    line and the goal as a tick."""
    import math
    from xml.sax.saxutils import escape

    rows = [r for r in rows if r["peer"]]
    top = max([2.0] + [max(r["ratio_max"], r["goal"] or 0) for r in rows])
    low = min([0.5] + [r["ratio_min"] for r in rows])
    left, width, step, head = 330, 440, 26, 64
    height = head + step * len(rows) + 30

    def x(value):
        return left + width * math.log(value / low) / math.log(top / low)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 70}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="#ffffff"/>',
           f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
           '<text x="12" y="42" fill="#555555">times as fast as the peer, logarithmic; line: least '
           'and greatest of the pairs; dark tick: goal</text>']
    tick = 2.0 ** math.floor(math.log2(low))
    while tick <= top:
        if tick >= low:
            strong = abs(tick - 1.0) < 1e-9
            out.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{head - 8}" '
                       f'y2="{height - 22}" stroke="{"#888888" if strong else "#dddddd"}"/>')
            out.append(f'<text x="{x(tick):.1f}" y="{height - 8}" text-anchor="middle" '
                       f'fill="#555555">{tick:g}</text>')
        tick *= 2
    for i, r in enumerate(rows):
        y = head + step * i
        met = r["ratio"] >= (r["goal"] or 1.0)
        begin, end = sorted((x(1.0), x(r["ratio"])))
        out.append(f'<text x="{left - 10}" y="{y + 12}" text-anchor="end">{escape(r["case"])}</text>')
        out.append(f'<rect x="{begin:.1f}" y="{y}" width="{max(end - begin, 1):.1f}" height="16" '
                   f'fill="{"#3b7dd8" if met else "#d98c3b"}"/>')
        out.append(f'<line x1="{x(r["ratio_min"]):.1f}" x2="{x(r["ratio_max"]):.1f}" y1="{y + 8}" '
                   f'y2="{y + 8}" stroke="#222222"/>')
        if r["goal"]:
            out.append(f'<line x1="{x(r["goal"]):.1f}" x2="{x(r["goal"]):.1f}" y1="{y - 2}" '
                       f'y2="{y + 18}" stroke="#222222" stroke-width="2"/>')
        right = max(x(r["ratio_max"]), end, x(r["goal"] or low)) + 6
        out.append(f'<text x="{right:.1f}" y="{y + 12}">'
                   f'{r["ratio"]:.2f}</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


def save(folder, rows, machine, title):
    folder = Path(folder)
    (folder / "results.md").write_text(f"# {title}\n\n{machine_text(machine)}\n\n{markdown(rows)}")
    (folder / "results.svg").write_text(chart(rows, title))
    (folder / "results.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


def machine_text(machine):
    return (f"{machine['cpu']}, {machine['cpus']} CPUs ({', '.join(machine['flags'])}); measured: "
            f"{machine['peak_gflops']:.0f} GFLOP/s of multiply-adds per core, DRAM read at "
            f"{machine['dram_gb_s'][0]:.1f} GB/s by one thread and {machine['dram_gb_s'][1]:.1f} GB/s "
            f"by {machine['cpus']}.")


if __name__ == "__main__":
    start_and_wait(sys.argv[1:])
