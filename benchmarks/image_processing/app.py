"""A picture goes through six functions, each of which reads it from the object store and writes it back.

    get_input --> flip --> rotate --> filter --> greyscale --> resize

Between functions travels the key of an object, never the picture: it lies in the home region, so a function that is
placed elsewhere pays for the distance twice. The keys follow from the run's id, so that a step that is repeated after
a failure writes the same object again.
"""

import io

from PIL import Image, ImageFilter, ImageOps

from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="image_processing", version="0.0.1")

QUARTER_TURN_DEGREES = 90
"""Counter-clockwise."""

BLUR_RADIUS_PIXELS = 2

LARGEST_RESULT_PIXELS = (128, 128)
"""Width and height into which the result has to fit; it keeps its proportions."""

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
    """Swap left and right."""
    image = ImageOps.mirror(load(event["image"]))
    workflow.invoke_serverless_function(rotate, {**event, "image": store(image, "flip")})


@workflow.serverless_function(name="rotate")
def rotate(event):
    """Turn it by a quarter; width and height change places."""
    image = load(event["image"]).rotate(QUARTER_TURN_DEGREES, expand=True)
    workflow.invoke_serverless_function(filter_image, {**event, "image": store(image, "rotate")})


@workflow.serverless_function(name="filter")
def filter_image(event):
    """Blur it."""
    image = load(event["image"]).filter(ImageFilter.GaussianBlur(BLUR_RADIUS_PIXELS))
    workflow.invoke_serverless_function(greyscale, {**event, "image": store(image, "filter")})


@workflow.serverless_function(name="greyscale")
def greyscale(event):
    """Keep the brightness alone (ITU-R 601-2 luma)."""
    image = load(event["image"]).convert("L")
    workflow.invoke_serverless_function(resize, {**event, "image": store(image, "greyscale")})


@workflow.serverless_function(name="resize")
def resize(event):
    """Make it small enough and store the result."""
    image = load(event["image"])
    image.thumbnail(LARGEST_RESULT_PIXELS)
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
