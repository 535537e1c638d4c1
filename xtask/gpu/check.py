"""Checks crisscross on the GPU of this machine, part by part, and writes result.json and result.md.

    sh run.sh                         all parts on cuda
    sh run.sh --parts device,steps    some of them; a later call adds its parts to the same result
    sh run.sh --device cpu --quick    what a machine without a GPU can do

Each part is a process of its own with a limit of time: one that fails or hangs is noted, and the others go on. What is there after each
part is written at once. Needs PyTorch 2.11; the engine beside this file uses its libraries.
"""

import argparse
import glob
import json
import math
import os
import platform
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PLAN = os.path.join(HERE, "plan.json")
BATCHES = [128, 256, 512, 1024]
# Largest difference of two losses in [-1, 1] at one step, of as many steps. The first step is before any rounding has been multiplied by
# Adam, whose first steps are as large for a gradient of rounding noise as for any other; it tells more than all that follow.
FIRST = {"fp64": 1e-9, "fp32": 1e-4, "bf16": 2e-2, "fp16": 1e-2}
LATER = {"fp64": 1e-4, "fp32": 3e-2, "bf16": 5e-2, "fp16": 5e-2}


class Skipped(Exception):
    """Why a part cannot be run here."""


class Failed(Exception):
    """What went wrong in a part."""


def libraries(python):
    """Folders of torch's libraries, for the loader."""
    told = "import torch, os; print(torch.__version__); print(os.path.dirname(torch.__file__))"
    try:
        run = subprocess.run([python, "-c", told], capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as cause:
        sys.exit(f"error: {python} cannot be asked for torch: {cause}")
    if run.returncode != 0:
        sys.exit(f"error: {python} has no torch; name one that has: PYTHON=/path/to/python sh run.sh")
    version, folder = run.stdout.split("\n")[:2]
    if not version.startswith("2.11.0"):
        sys.exit(f"error: torch is {version}, and this engine goes with 2.11.0: pip install torch==2.11.0")
    nvidia = sorted(glob.glob(os.path.join(os.path.dirname(folder), "nvidia", "*", "lib")))
    return version, [os.path.join(folder, "lib"), *nvidia]


class Check:
    """What is asked for, and what was found so far."""

    def __init__(self, asked):
        self.asked = asked
        self.cuda = asked.device != "cpu"
        self.torch, folders = libraries(asked.python)
        known = [os.environ["LD_LIBRARY_PATH"]] if os.environ.get("LD_LIBRARY_PATH") else []
        self.environment = dict(os.environ, LD_LIBRARY_PATH=":".join(folders + known), TORCH_CPP_LOG_LEVEL="ERROR")
        self.environment.setdefault("GOMP_SPINCOUNT", "1000")
        self.state = os.path.join(asked.out, "state.safetensors")
        self.steps = 3 if asked.quick else 20
        self.found = {"parts": {}}
        if os.path.exists(self.path("result.json")):
            with open(self.path("result.json")) as file:
                self.found = json.load(file)
            # Those of a version that did not say where each was run.
            self.found["parts"] = {name: part for name, part in self.found["parts"].items() if "on" in part}

    def path(self, name):
        return os.path.join(self.asked.out, name)

    def call(self, command, limit):
        """The JSON object that a command prints last."""
        limit = min(limit, self.asked.limit)
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=self.environment)
        except subprocess.TimeoutExpired:
            raise Failed(f"not done after {limit} s")
        except OSError as cause:
            raise Failed(f"cannot be started: {cause}")
        if run.returncode != 0:
            said = (run.stderr.strip() or run.stdout.strip() or "nothing").splitlines()
            raise Failed(f"exit code {run.returncode}: {' / '.join(said[-3:])[:600]}")
        try:
            return json.loads(run.stdout.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise Failed(f"no JSON: {run.stdout[-200:]!r}")

    def engine(self, part, *options, device=None, limit=240):
        device = device or self.asked.device
        command = [os.path.join(HERE, "crisscross-engine"), "gpu-check", part, "--plan", PLAN, "--device", device]
        return self.call([*command, *map(str, options)], limit)

    def twin(self, *options, limit=240):
        device = "cuda" if self.cuda else "cpu"
        command = [self.asked.python, os.path.join(HERE, "twin.py"), *map(str, options), "--device", device]
        return self.call(command, limit)

    def needs_cuda(self):
        if not self.cuda:
            raise Skipped("it needs a GPU")

    def run(self, name, part):
        start = time.monotonic()
        print(f"== {name}", flush=True)
        try:
            outcome = {"state": "passed", **part(self)}
        except Skipped as why:
            outcome = {"state": "skipped", "why": str(why)}
        except Failed as why:
            outcome = {"state": "failed", "why": str(why)}
        except (ArithmeticError, LookupError, TypeError, ValueError) as why:
            outcome = {"state": "failed", "why": f"an answer of another form: {type(why).__name__}: {why}"}
        if outcome.get("wrong"):
            outcome["state"] = "failed"
        outcome["on"] = f"{self.asked.device} of {platform.node()}{', quick' if self.asked.quick else ''}"
        outcome["seconds"] = round(time.monotonic() - start, 1)
        self.found["parts"][name] = outcome
        self.write()
        print(f"   {outcome['state']} after {outcome['seconds']} s {outcome.get('why', '')}", flush=True)

    def write(self):
        self.found["machine"] = {"host": platform.node(), "python": platform.python_version(), "torch": self.torch}
        self.found["machine"]["written"] = time.strftime("%F %T")
        for name, text in [("result.json", json.dumps(self.found, indent=1)), ("result.md", table(self.found))]:
            with open(self.path(name + ".new"), "w") as file:
                file.write(text + "\n")
            os.replace(self.path(name + ".new"), self.path(name))


def device(check):
    found = check.engine("device")
    if check.cuda and not (found["gpus"] > 0 and found["environment"]["device"].startswith("cuda")):
        raise Failed("CUDA is not registered")
    return found


def apart(name, one, other, precision):
    """How far two courses of losses are apart, and what is wrong with that."""
    # The engine writes null for what is not finite.
    loss = lambda value: math.nan if value is None else value
    differences = [abs(loss(a) - loss(b)) for a, b in zip(one["losses"], other["losses"])]
    # One that is no number is the largest.
    first, most = differences[0], max(differences, key=lambda difference: (math.isnan(difference), difference))
    finite = lambda value: value if math.isfinite(value) else None
    allowed = [FIRST[precision], LATER[precision]]
    found = {"first": finite(first), "most": finite(most), "steps": len(differences), "allowed": allowed}
    # A number that is none compares as false.
    wrong = [] if first <= FIRST[precision] and most <= LATER[precision] else [f"{name}: {first:.2e}, then {most:.2e}"]
    return found, wrong


def steps(check):
    """Losses on the device against those of the processor, all from the same networks and views."""
    found, wrong = {"compared": {}, "losses": {}}, []
    whole = {}
    for precision in ("fp64", "fp32"):
        whole[precision] = check.engine("steps", "--steps", check.steps, "--precision", precision, device="cpu", limit=420)
        found["losses"][f"cpu {precision}"] = whole[precision]["losses"]
    for precision in ("fp64", "fp32", "bf16", "fp16"):
        name = f"{check.asked.device} {precision}"
        if not check.cuda and (precision in whole or precision == "fp16"):
            continue
        try:
            own = check.engine("steps", "--steps", check.steps, "--precision", precision)
        except Failed as why:
            wrong.append(f"{name}: {why}")
            continue
        found["losses"][name] = own["losses"]
        found["compared"][name], bad = apart(name, own, whole.get(precision, whole["fp32"]), precision)
        wrong += bad
    found["compared"]["cpu fp32 with fp64"], bad = apart("cpu fp32 with fp64", whole["fp32"], whole["fp64"], "fp32")
    return {**found, "wrong": wrong + bad}


def twin(check):
    """Losses of eager PyTorch against those of the engine, both in float32 on the device."""
    rates = check.engine("export", "--out", check.state, device="cpu")["rates"]["v"]
    options = ["--state", check.state, "--steps", check.steps, "--rate-f", rates["f"], "--rate-h", rates["h"]]
    theirs = check.twin("losses", *options, limit=420)
    os.remove(check.state)
    ours = check.engine("steps", "--steps", check.steps)
    found, wrong = apart("twin", theirs, ours, "fp32")
    return {"compared": {"twin fp32": found}, "losses": {"twin": theirs["losses"], "ours": ours["losses"]}, "wrong": wrong}


def augment(check):
    found = check.engine("augment", "--batch", 4 if check.asked.quick else 16)
    is_right = lambda view: None not in (view["largest"], view["most"]) and view["share"] <= 1e-3
    return {**found, "wrong": [f"{view['view']}: {view}" for view in found["views"] if not is_right(view)]}


def graph(check):
    """The step as one graph against the step kernel by kernel. A processor stands in with the places of a graph and no graph."""
    found, wrong = {"compared": {}}, []
    for precision in ("fp32", "bf16") if check.cuda else ("fp32",):
        both = check.engine("graph", "--steps", max(check.steps, 5), "--precision", precision)
        of, bad = apart(f"graph {precision}", both["captured"], both["eager"], precision)
        found["compared"][f"graph {precision}"] = of
        wrong += bad
    if check.cuda:
        options = ["--batch", check.asked.batches[0], "--steps", 10, "--precision", "bf16"]
        times = check.engine("graph-speed", *options)
        found["rows"] = [
            {"batch": times["batch"], "side": side, "step_ms": ms, "samples_per_s": 1e3 * times["batch"] / ms["median"]}
            for side, ms in [("step by step", times["eager_ms"]), ("as a graph", times["captured_ms"])]
        ]
    else:
        found["note"] = "places alone: without a GPU nothing was recorded"
    return {**found, "wrong": wrong}


def nccl(check):
    check.needs_cuda()
    return check.engine("nccl")


def speed(check):
    """Samples per second in bf16 beside eager PyTorch's, at each batch: what does not fit is noted and the others go on."""
    check.needs_cuda()
    rows, wrong = [], []
    count = 5 if check.asked.quick else 10
    for batch in check.asked.batches:
        sides = {
            "ours": lambda: check.engine("speed", "--batch", batch, "--steps", count, "--precision", "bf16"),
            "twin": lambda: check.twin("speed", "--batch", batch, "--steps", count, "--amp", "bf16"),
            "twin, channels last": lambda: check.twin(
                "speed", "--batch", batch, "--steps", count, "--amp", "bf16", "--channels-last"
            ),
        }
        for name, side in sides.items():
            row = {"batch": batch, "side": name}
            try:
                row.update(side())
            except Failed as why:
                row["why"] = str(why)
                wrong.append(f"{name} at {batch}: {why}")
            rows.append(row)
    ran = any(row["side"] == "ours" and "samples_per_s" in row for row in rows)
    return {"rows": rows, "wrong": [] if ran else wrong}


def formats(check):
    """Memory formats against each other, ours, in bf16."""
    check.needs_cuda()
    rows = []
    for name in ("contiguous", "channels_last", "pictures"):
        options = ["--batch", check.asked.batches[0], "--steps", 5, "--precision", "bf16", "--memory-format", name]
        rows.append({"side": name, **check.engine("speed", *options)})
    return {"rows": rows}


def profile(check):
    batch = check.asked.batches[0] if check.cuda else 4
    precision = "bf16" if check.cuda else "fp32"
    return check.engine("profile", "--batch", batch, "--steps", 3, "--precision", precision)


PARTS = {
    "device": device,
    "nccl": nccl,
    "augment": augment,
    "steps": steps,
    "twin": twin,
    "graph": graph,
    "speed": speed,
    "formats": formats,
    "profile": profile,
}


def number(value, form):
    """As the table shows it; the engine writes null for what is not finite."""
    return "not finite" if value is None else format(value, form)


def table(found):
    machine = found["machine"]
    lines = [f"# crisscross with torch {machine['torch']}, {machine['written']}", ""]
    lines += ["| part | on | state | seconds | what |", "| --- | --- | --- | --- | --- |"]
    for name, part in found["parts"].items():
        what = part.get("why") or "; ".join(part.get("wrong") or [])
        lines.append(f"| {name} | {part['on']} | {part['state']} | {part['seconds']} | {what.replace('|', '/')} |")
    compared = [(part["on"], *row) for part in found["parts"].values() for row in part.get("compared", {}).items()]
    if compared:
        lines += ["", "| losses | on | steps | first | most | allowed |", "| --- | --- | --- | --- | --- | --- |"]
        for on, name, of in compared:
            first, most = number(of["first"], ".1e"), number(of["most"], ".1e")
            allowed = ", ".join(f"{limit:g}" for limit in of["allowed"])
            lines.append(f"| {name} | {on} | {of['steps']} | {first} | {most} | {allowed} |")
    views = found["parts"].get("augment", {}).get("views", [])
    if views:
        lines += ["", "| view | largest number | largest difference | share that differs |", "| --- | --- | --- | --- |"]
        forms = (("largest", ".3g"), ("most", ".1e"), ("share", ".1e"))
        lines += [f"| {' | '.join([v['view'], *(number(v[name], form) for name, form in forms)])} |" for v in views]
    parts = [found["parts"][name] for name in ("speed", "graph", "formats") if name in found["parts"]]
    rows = [(part["on"], row) for part in parts for row in part.get("rows", [])]
    if rows:
        lines += ["", "| batch | side | on | samples/s | ms | MFU | memory, GB |", "| --- | --- | --- | --- | --- | --- | --- |"]
        for on, row in rows:
            if "why" in row:
                lines.append(f"| {row['batch']} | {row['side']} | {on} | {row['why'][:80].replace('|', '/')} | | | |")
                continue
            middle = lambda value: value["median"] if isinstance(value, dict) else value
            mfu = f"{100 * row['mfu']:.1f} %" if row.get("mfu") else ""
            memory = (row.get("peak_memory_bytes") or 0) / 1e9
            rate, ms = middle(row["samples_per_s"]), middle(row["step_ms"])
            lines.append(f"| {row['batch']} | {row['side']} | {on} | {rate:.0f} | {ms:.1f} | {mfu} | {memory:.1f} |")
    kinds = found["parts"].get("profile", {}).get("kinds", {})
    if kinds:
        of = found["parts"]["profile"]
        lines += ["", f"A step of {of['step_ms']:.1f} ms, of which the device works {of['busy_ms']:.1f}:", ""]
        lines += ["| what | ms |", "| --- | --- |"]
        lines += [f"| {kind} | {ms:.2f} |" for kind, ms in sorted(kinds.items(), key=lambda row: -row[1])]
        lines += ["", "| kernel | calls | ms |", "| --- | --- | --- |"]
        lines += [f"| `{k['name'][:100].replace('|', '/')}` | {k['calls']:g} | {k['ms']:.2f} |" for k in of["most"]]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, cpu")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--batches", default=",".join(map(str, BATCHES)), help="of the part speed")
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    parser.add_argument("--limit", type=int, default=600, help="seconds that a single process may take at most")
    parser.add_argument("--out", default=os.environ.get("OUT") or ".", help="the folder of the result; $OUT, else here")
    parser.add_argument("--python", default=sys.executable, help="one with torch 2.11")
    asked = parser.parse_args()
    names = [name for name in asked.parts.split(",") if name]
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; parts are {', '.join(PARTS)}")
    try:
        asked.batches = [int(batch) for batch in asked.batches.split(",")]
    except ValueError:
        parser.error("--batches are numbers with commas between them")
    os.makedirs(asked.out, exist_ok=True)
    check = Check(asked)
    for name in names:
        check.run(name, PARTS[name])
    failed = [name for name in names if check.found["parts"][name]["state"] == "failed"]
    print(f"written: {check.path('result.json')}, {check.path('result.md')}")
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
