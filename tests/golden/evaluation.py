"""Whether heads on frozen features come to what scikit-learn and PyTorch come to.

    python tests/golden/evaluation.py compare RUNS [TOLERANCE]
    python tests/golden/evaluation.py make FEATURES.safetensors OUT.safetensors
    python tests/golden/evaluation.py folds tests/golden/evaluation.safetensors tests/golden/evaluation.json

Needs scikit-learn, safetensors, numpy and torch.

`compare`: for every linear SVM and every retrieval under RUNS the features are read, the split is made again, and `LinearSVC` (dual, as the
released code has it, with a tolerance at which it converges) or `NearestNeighbors` is asked. What is compared are the ranks of
`predictions.csv`, line by line. A rank may differ where scikit-learn itself is within TIE of a tie. On features of full-size networks
LIBLINEAR's dual does not come to a tolerance of 1e-8 at cost 1 in ten minutes; give it 1e-5.

`make`: one row of each sample of the first split of an extraction, with what scikit-learn's machines and neighbours, and 20 steps of a linear layer
in PyTorch, make of them.

`folds`: the cost that `GridSearchCV` chooses for these rows by four folds of the training rows, row k in fold k mod 4, with the mean accuracy
of each cost, and what the machines of that cost, fitted on all, find for the test rows.
"""

import csv
import json
import pathlib
import sys
import warnings

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import LinearSVC

TOLERANCE = 1e-8
TIE = 1e-3  # of a decision value, and 1e-6 of a distance


def features_of(runs, stage):
    """The tensors and names of the extraction with this id."""
    for run in runs.glob("extract-*"):
        if json.loads((run / "run.json").read_text())["stage"] == stage:
            with safe_open(run / "features.safetensors", "np") as file:
                about = json.loads(file.metadata()["crisscross"])
                return {name: file.get_tensor(name) for name in file.keys()}, about
    raise SystemExit(f"no extraction {stage[:8]} under {runs}")


def beside(sets):
    """The features of several extractions side by side, clip by clip; samples that one of them lacks take no part."""
    fused = dict(sets[0])
    for kind in ("train", "test"):
        owners = [tensors[f"{kind}_sample"] for tensors in sets]
        samples = sorted(set.intersection(*(set(of.tolist()) for of in owners)))
        rows = [np.concatenate([np.flatnonzero(of == sample) for sample in samples]) for of in owners]
        fused[kind] = np.concatenate([tensors[kind][own] for tensors, own in zip(sets, rows)], axis=1)
        fused[f"{kind}_sample"] = owners[0][rows[0]]
    return fused


def trains_in(folds, split):
    """Which samples train in a split: those of another fold, or, with bit 31, those whose two bits for it are 0."""
    by_fold, by_bits = folds != split, (folds >> (2 * (split - 1)) & 3) == 0
    return np.where(folds >> 31 & 1, by_bits, by_fold).astype(bool)


def number(text):
    """A cost as the files write it: `1/1000`."""
    over, _, under = text.partition("/")
    return float(over) / float(under or 1)


def svm_scores(tensors, trains, asked, rows, owners, cost, classes):
    """The mean decision values `[sample, class]` of scikit-learn's machines."""
    chosen = trains[tensors["train_sample"]]
    labels = tensors["label"][tensors["train_sample"][chosen]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        machine = LinearSVC(C=cost, dual=True, tol=TOLERANCE, max_iter=1_000_000, random_state=0)
        machine.fit(tensors["train"][chosen].astype(np.float64), labels)
    values = machine.decision_function(rows.astype(np.float64))
    if len(classes) == 2:
        values = np.stack([-values, values], axis=1)
    return np.stack([values[owners == sample].mean(axis=0) for sample in asked])


def compare(run, runs):
    plan = json.loads((run / "plan.json").read_text())["work"]
    result = json.loads((run / "result.json").read_text())
    head = plan["head"]
    is_svm = isinstance(head, dict) and "svm" in head
    if not is_svm and head != "neighbours":
        return None
    tensors, about = features_of(runs, plan["features"])
    tensors = beside([tensors, *(features_of(runs, stage)[0] for stage in plan["beside"])])
    lines = list(csv.DictReader(open(run / "predictions.csv", newline="")))
    at = {name: sample for sample, name in enumerate(about["samples"])}
    same = ties = different = 0
    ours, theirs = [], []
    for fold in result["folds"]:
        split = 1 if fold["name"] == "test" else int(fold["name"])
        told = [line for line in lines if line["split"] == fold["name"]]
        asked = np.array([at[line["sample"]] for line in told])
        trains = trains_in(tensors["fold"], split)
        if is_svm:
            owners = tensors["test_sample"]
            scores = svm_scores(tensors, trains, asked, tensors["test"], owners, number(fold["cost"]), about["classes"])
            own = scores[np.arange(len(asked)), tensors["label"][asked]]
            ranks = 1 + (scores > own[:, None]).sum(axis=1)
            close = (np.abs(scores - own[:, None]) < TIE).sum(axis=1) > 1
        else:
            gallery = trains[tensors["train_sample"]]
            labels = tensors["label"][tensors["train_sample"][gallery]]
            queries = np.stack([tensors["test"][tensors["test_sample"] == s].mean(axis=0, dtype=np.float64) for s in asked])
            near = NearestNeighbors(n_neighbors=int(gallery.sum()), metric="cosine", algorithm="brute")
            near.fit(tensors["train"][gallery].astype(np.float64))
            distances, order = near.kneighbors(queries)
            hits = labels[order] == tensors["label"][asked][:, None]
            first = hits.argmax(axis=1)
            ranks = 1 + first
            own = distances[np.arange(len(asked)), first]
            close = (np.abs(distances - own[:, None]) < 1e-6).sum(axis=1) > 1
        ours.append(np.mean([int(line["rank"]) == 1 for line in told]))
        theirs.append(np.mean(ranks == 1))
        for line, rank, is_close in zip(told, ranks, close):
            if int(line["rank"]) == rank:
                same += 1
            elif is_close:
                ties += 1
            else:
                different += 1
    return same, ties, different, 100 * np.mean(ours), 100 * np.mean(theirs)


def make(source, target):
    with safe_open(source, "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    trains, tests = tensors["fold"] != 1, tensors["fold"] == 1

    def rows(kind, wanted):
        owners = tensors[f"{kind}_sample"]
        _, first = np.unique(owners, return_index=True)
        first = first[wanted[owners[first]]]
        return tensors[kind][first], tensors["label"][owners[first]].astype(np.int64)

    (train, train_label), (test, test_label) = rows("train", trains), rows("test", tests)
    out = {"train": train, "train_label": train_label, "test": test, "test_label": test_label}
    machine = LinearSVC(C=0.1, dual=True, tol=1e-10, max_iter=10_000_000, random_state=0)
    machine.fit(train.astype(np.float64), train_label)
    out["coef"], out["intercept"] = machine.coef_, machine.intercept_
    out["predicted"] = machine.predict(test.astype(np.float64)).astype(np.int64)
    near = NearestNeighbors(n_neighbors=20, metric="cosine", algorithm="brute").fit(train.astype(np.float64))
    out["neighbours"] = near.kneighbors(test.astype(np.float64))[1].astype(np.int64)
    out.update(layer(train, train_label))
    save_file({name: np.ascontiguousarray(value) for name, value in out.items()}, target)


def folds(source, target):
    with safe_open(source, "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    train, labels = tensors["train"].astype(np.float64), tensors["train_label"]
    machine = LinearSVC(dual=True, tol=1e-8, max_iter=10_000_000, random_state=0)
    costs = [0.0001, 0.001, 0.01, 0.1, 1.0]
    search = GridSearchCV(machine, {"C": costs}, cv=PredefinedSplit(np.arange(len(train)) % 4)).fit(train, labels)
    found = {
        "costs": costs,
        "tried": [100 * float(score) for score in search.cv_results_["mean_test_score"]],
        "cost": search.best_params_["C"],
        "predicted": search.predict(tensors["test"].astype(np.float64)).tolist(),
    }
    pathlib.Path(target).write_text(json.dumps(found) + "\n")


def layer(train, labels):
    """20 steps of Adam with weight decay on batches of 32: first values, the loss before each step, last values."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    layer = torch.nn.Linear(train.shape[1], 10)
    torch.nn.init.orthogonal_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    out = {"layer_first": layer.weight.detach().numpy().copy()}
    adam = torch.optim.Adam(layer.parameters(), lr=0.007, betas=(0.9, 0.999), weight_decay=1e-5)
    losses = []
    for step in range(20):
        batch = [(32 * step + row) % len(train) for row in range(32)]
        loss = torch.nn.functional.cross_entropy(layer(torch.from_numpy(train[batch])), torch.from_numpy(labels[batch]))
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    out["layer_losses"] = np.array(losses)
    out["layer_weight"], out["layer_bias"] = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    return out


def main():
    if sys.argv[1] == "make":
        make(sys.argv[2], sys.argv[3])
        return
    if sys.argv[1] == "folds":
        folds(sys.argv[2], sys.argv[3])
        return
    global TOLERANCE
    TOLERANCE = float((sys.argv[3:] or [TOLERANCE])[0])
    runs = pathlib.Path(sys.argv[2])
    worst = 0
    for run in sorted(runs.glob("score-*")):
        found = compare(run, runs)
        if found:
            same, ties, different, ours, theirs = found
            print(f"{run.name}: {same} ranks equal, {ties} at a tie, {different} different; rank 1: {ours:.2f} here, {theirs:.2f} there", flush=True)
            worst = max(worst, different)
    sys.exit(1 if worst else 0)


if __name__ == "__main__":
    main()
