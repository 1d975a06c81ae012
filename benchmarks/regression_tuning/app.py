"""Two regressors with different hyper-parameters are trained on one data set, and the better one is kept.

    get_input -> create_dataset --> first_model ---> merge_function -> join_runs
                                \\-> second_model --/

Data set and models are objects of the workflow; the functions hand on their keys and scores.
"""

import json
from dataclasses import asdict

from tuning import (
    Candidate,
    DatasetParameters,
    HyperParameters,
    best_first,
    make_dataset,
    read_input,
    train,
)

from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="regression_tuning", version="0.0.1")


@workflow.serverless_function(name="get_input", entry_point=True)
def get_input(event):
    """Check the input, for example `{"samples": 1000, "seed": 7, "second": {"trees": 200}}`; all has defaults."""
    dataset, candidates = read_input(event)
    request = {
        "dataset": asdict(dataset),
        "candidates": {name: asdict(candidate) for name, candidate in candidates.items()},
    }
    workflow.invoke_serverless_function(create_dataset, request)


@workflow.serverless_function(name="create_dataset")
def create_dataset(request):
    """Generate the data set, keep it, and start both trainings."""
    parameters = DatasetParameters(**request["dataset"])
    workflow.write_object(parameters.key, make_dataset(parameters))
    workflow.invoke_serverless_function(first_model, request)
    workflow.invoke_serverless_function(second_model, request)


@workflow.serverless_function(name="first_model")
def first_model(request):
    """Train the first candidate."""
    workflow.invoke_serverless_function(merge_function, train_candidate("first", request))


@workflow.serverless_function(name="second_model")
def second_model(request):
    """Train the second candidate."""
    workflow.invoke_serverless_function(merge_function, train_candidate("second", request))


def train_candidate(name, request):
    """Train a candidate, keep the model, and say how good it is."""
    dataset = DatasetParameters(**request["dataset"])
    hyper_parameters = HyperParameters(**request["candidates"][name])
    model, score = train(workflow.read_object(dataset.key), hyper_parameters, dataset.seed)
    key = f"{dataset.directory}/{hyper_parameters.label}.pickle"
    workflow.write_object(key, model)
    return {"dataset": request["dataset"], "candidate": Candidate(name, hyper_parameters, score, key).to_payload()}


@workflow.serverless_function(name="merge_function")
def merge_function():
    """Bring both results together, the better one first."""
    results = workflow.get_predecessor_data()
    ranked = best_first([Candidate.from_payload(result["candidate"]) for result in results])
    merged = {"dataset": results[0]["dataset"], "candidates": [candidate.to_payload() for candidate in ranked]}
    workflow.invoke_serverless_function(join_runs, merged)


@workflow.serverless_function(name="join_runs")
def join_runs(merged):
    """Keep the better model under a name of its own, beside a report of both."""
    dataset = DatasetParameters(**merged["dataset"])
    candidates = [Candidate.from_payload(payload) for payload in merged["candidates"]]
    best = candidates[0]
    labels = sorted(one.hyper_parameters.label for one in candidates)
    place = f"{dataset.directory}/best-of-{'-and-'.join(labels)}"
    workflow.write_object(f"{place}.pickle", workflow.read_object(best.key))
    report = {"dataset": dataset.key, "best": best.name, "candidates": merged["candidates"]}
    workflow.write_object(f"{place}.json", json.dumps(report, indent=2).encode())
    return {"best": best.name, "score": best.score, "model": f"{place}.pickle", "report": f"{place}.json"}
