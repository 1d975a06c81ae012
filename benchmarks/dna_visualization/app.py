"""A GenBank record becomes a drawing of its features.

    get_input -> visualize

Record and drawing are objects of the workflow; the functions hand on their keys.
"""

from dataclasses import asdict

from request import Request, read_request

from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="dna_visualization", version="0.0.1")


@workflow.serverless_function(name="get_input", entry_point=True)
def get_input(event):
    """Check the input: `{"record": "plasmid.gb"}`, optionally with `"format": "svg"` (or `"png"`)."""
    workflow.invoke_serverless_function(visualize, asdict(read_request(event)))


@workflow.serverless_function(name="visualize")
def visualize(payload):
    """Draw the record and keep the drawing."""
    from drawing import draw, read_record  # get_input starts faster without the libraries

    request = Request(**payload)
    record = read_record(workflow.read_object(request.record))
    drawing = draw(record, request.picture_format)
    workflow.write_object(request.drawing, drawing)
    return {"record": record.id, "length_bp": len(record), "drawing": request.drawing, "bytes": len(drawing)}
