"""What a video shows, in four parts at a time.

                 +--> streaming --> decode --> recognition
                 +--> streaming --> decode --> recognition
    get_input ---+
                 +--> streaming --> decode --> recognition
                 +--> streaming --> decode --> recognition

Between functions travel keys of objects, never the video: it lies in the home region, so a function that is placed
elsewhere pays for the distance. The keys follow from the run's id: a step that is repeated after a failure writes the
same object again.
"""

import dataclasses
import json

import recognition as recognising
import video

from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="video_analytics", version="0.0.1")

PARTS = 4
MOST_FRAMES = 100


class InputError(Exception):
    """The run's input cannot be worked with; trying again does not help."""


@workflow.serverless_function(name="get_input", entry_point=True)
def get_input(event):
    """Check the input: `{"video": KEY}`, optionally `"frames"` a part and the prefix of the results, `"output"`."""
    if not isinstance(event, dict) or not isinstance(event.get("video"), str):
        raise InputError(f'the input must be {{"video": KEY}} with the key of an object; it is {event!r}')
    frames, output = event.get("frames", 3), event.get("output", f"output/{workflow.run_id}")
    if not isinstance(frames, int) or isinstance(frames, bool) or not 1 <= frames <= MOST_FRAMES:
        raise InputError(f'"frames" must be a whole number from 1 to {MOST_FRAMES}; it is {frames!r}')
    if not isinstance(output, str):
        raise InputError(f'"output" must be the first part of the keys of the results; it is {output!r}')
    video.check_video(workflow.read_object(event["video"]))
    request = {"video": event["video"], "frames": frames, "output": output}
    workflow.invoke_serverless_function(streaming, {**request, "part": 0})
    workflow.invoke_serverless_function(streaming, {**request, "part": 1})
    workflow.invoke_serverless_function(streaming, {**request, "part": 2})
    workflow.invoke_serverless_function(streaming, {**request, "part": 3})


@workflow.serverless_function(name="streaming")
def streaming(event):
    """Cut a part out of the video, without decoding it."""
    part = video.cut_part(workflow.read_object(event["video"]), event["part"], PARTS)
    key = f"work/{workflow.run_id}/{event['part']}.mkv"
    workflow.write_object(key, part.body)
    interval = [part.interval.start_s, part.interval.end_s]
    workflow.invoke_serverless_function(decode, {**event, "video": key, "interval": interval})


@workflow.serverless_function(name="decode")
def decode(event):
    """Decode frames of the part."""
    part = video.Part(workflow.read_object(event["video"]), video.Interval(*event["interval"]))
    key = f"work/{workflow.run_id}/{event['part']}.mjpeg"
    workflow.write_object(key, video.decode_frames(part, event["frames"]))
    workflow.invoke_serverless_function(
        recognition, {"pictures": key, "part": event["part"], "output": event["output"]}
    )


@workflow.serverless_function(name="recognition")
def recognition(event):
    """Tell what the frames show."""
    recognised = recognising.recognise(workflow.read_object(event["pictures"]))
    key = f"{event['output']}/{event['part']}.json"
    workflow.write_object(key, json.dumps(dataclasses.asdict(recognised), indent=2).encode())
    best = recognised.overall[0]
    return {"part": event["part"], "shows": best.name, "probability": best.probability, "labels": key}
