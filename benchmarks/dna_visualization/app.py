"""A GenBank record becomes a drawing of its features.

    get_input -> visualize

Record and drawing are objects of the workflow; the functions hand on their keys.
"""

from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="dna_visualization", version="0.0.1")


@workflow.serverless_function(name="get_input", entry_point=True)
def get_input(event):
    """Check the input: `{"record": "plasmid.gb"}`, optionally with `"format": "svg"` (or `"png"`)."""
    if not isinstance(event, dict) or not isinstance(event.get("record"), str):
        raise ValueError('the input is {"record": KEY}, where KEY names an object that holds a GenBank record.')
    picture_format = event.get("format", "svg")
    if picture_format not in ("svg", "png"):
        raise ValueError(f"the format is {picture_format!r}; there are 'svg' and 'png'.")
    workflow.invoke_serverless_function(visualize, {"record": event["record"], "format": picture_format})


@workflow.serverless_function(name="visualize")
def visualize(request):
    """Draw the record and keep the drawing."""
    from drawing import draw, read_record  # get_input starts faster without the libraries

    record = read_record(workflow.read_object(request["record"]))
    drawing = draw(record, request["format"])
    key = f"drawings/{request['record']}.{request['format']}"
    workflow.write_object(key, drawing)
    return {"record": record.id, "length_bp": len(record), "drawing": key, "bytes": len(drawing)}
