"""A picture is read from the object store, flipped, and written back: the shortest workflow that works on data.

    get_input --> flip

Between functions travels the key of an object, never the picture: it lies in the home region, so a function that is
placed elsewhere pays for the distance twice. The keys follow from the run's id, so that a step that is repeated after
a failure writes the same object again.
"""

import io

from PIL import Image, ImageOps

from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="image_processing_light", version="0.0.1")

LARGEST_INPUT_PIXELS = 25_000_000
"""At four bytes a pixel, a few copies of it fit into the function's memory."""


class InputError(Exception):
    """The run's input cannot be worked with; trying again does not help."""


@workflow.serverless_function(name="get_input", entry_point=True)
def get_input(event):
    """Check the input: `{"image": KEY}`, and optionally the key of the result, `"output"`."""
    if not isinstance(event, dict) or not isinstance(event.get("image"), str):
        raise InputError(f'the input must be {{"image": KEY}} with the key of an object; it is {event!r}')
    key, output = event["image"], event.get("output", f"output/{workflow.run_id}.png")
    if not isinstance(output, str):
        raise InputError(f'"output" must be the key of the result; it is {output!r}')
    image = decode(workflow.read_object(key), key)
    workflow.invoke_serverless_function(flip, {"image": store(image, "input"), "output": output})


@workflow.serverless_function(name="flip")
def flip(event):
    """Swap left and right, and store the result."""
    image = ImageOps.mirror(load(event["image"]))
    workflow.write_object(event["output"], encode(image))
    return {"image": event["output"], "width": image.width, "height": image.height, "mode": image.mode}


def load(key):
    """A picture that an earlier step of the run has stored."""
    return Image.open(io.BytesIO(workflow.read_object(key)))


def store(image, step):
    """Store the picture of a step; returns its key."""
    key = f"work/{workflow.run_id}/{step}.png"
    workflow.write_object(key, encode(image))
    return key


def encode(image):
    """The picture as a file, without loss."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def decode(body, key):
    """The user's picture, upright, in red, green and blue, what is transparent white.

    Raises:
        InputError: It is no picture, is damaged, or is too large.
    """
    try:
        image = Image.open(io.BytesIO(body))
        require_small(image, key)
        image = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # Pillow's, of damaged files
        raise InputError(f"the object '{key}' is no picture that can be read: {error}") from error
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def require_small(image, key):
    """Refuse a picture, before it is decoded, that the memory would not hold."""
    if image.width * image.height > LARGEST_INPUT_PIXELS:
        raise InputError(
            f"the picture '{key}' has {image.width} x {image.height} pixels; at most {LARGEST_INPUT_PIXELS:,} can be "
            "worked with"
        )
