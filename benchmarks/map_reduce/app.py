"""Word count over a text: up to six mappers, a join that shuffles, two reducers, a join that writes the result.

    get_input -> mapper (six call sites, as many as the text needs) -> shuffler -> reducer (two) -> output

The text is an object of the workflow, and so is the result; parts and counts travel as payloads.
"""

import json

from counting import (
    MOST_COMMON,
    combine,
    count_words,
    read_input,
    read_text,
    reduce_counts,
    shuffle,
    split,
)

from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="map_reduce", version="0.0.1")


@workflow.serverless_function(name="get_input", entry_point=True)
def get_input(event):
    """Split the text for the mappers: `{"text": "text.txt"}`, optionally with `"characters_per_mapper": 10000`."""
    key, characters = read_input(event)
    parts = split(read_text(workflow.read_object(key)), characters)
    requests = [{"key": key, "part": part} for part in parts]
    # Calls do not stand in loops: each of these is an edge of its own.
    workflow.invoke_serverless_function(mapper, requests[0])
    workflow.invoke_serverless_function(mapper, at(requests, 1), conditional=len(requests) > 1)
    workflow.invoke_serverless_function(mapper, at(requests, 2), conditional=len(requests) > 2)
    workflow.invoke_serverless_function(mapper, at(requests, 3), conditional=len(requests) > 3)
    workflow.invoke_serverless_function(mapper, at(requests, 4), conditional=len(requests) > 4)
    workflow.invoke_serverless_function(mapper, at(requests, 5), conditional=len(requests) > 5)


def at(requests, index):
    """A mapper's request, `None` for one that is not needed."""
    return requests[index] if index < len(requests) else None


@workflow.serverless_function(name="mapper")
def mapper(request):
    """Count the words of one part."""
    workflow.invoke_serverless_function(shuffler, {"key": request["key"], "counts": count_words(request["part"])})


@workflow.serverless_function(name="shuffler")
def shuffler():
    """Give each reducer its words."""
    results = workflow.get_predecessor_data()
    first, second = shuffle(result["counts"] for result in results)
    about = {"key": results[0]["key"], "mappers": len(results)}
    workflow.invoke_serverless_function(reducer, {**about, "share": first})
    workflow.invoke_serverless_function(reducer, {**about, "share": second})


@workflow.serverless_function(name="reducer")
def reducer(request):
    """Add up the counts of each word."""
    result = {"key": request["key"], "mappers": request["mappers"], "counts": reduce_counts(request["share"])}
    workflow.invoke_serverless_function(output, result)


@workflow.serverless_function(name="output")
def output():
    """Keep all counts, and return a summary."""
    results = workflow.get_predecessor_data()
    counts = combine(result["counts"] for result in results)
    key = f"counts/{results[0]['key']}.json"
    workflow.write_object(key, json.dumps(counts, ensure_ascii=False).encode())
    return {
        "counts": key,
        "words": sum(counts.values()),
        "distinct": len(counts),
        "mappers": results[0]["mappers"],
        "most_common": dict(list(counts.items())[:MOST_COMMON]),
    }
