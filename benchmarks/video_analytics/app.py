"""What a video shows, in four parts at a time.

                 +--> streaming --> decode --> recognition
                 +--> streaming --> decode --> recognition
    get_input ---+
                 +--> streaming --> decode --> recognition
                 +--> streaming --> decode --> recognition

Videos and pictures are handed on through the workflow's objects, everything else in messages. Keys follow from the
input, so a function that runs again writes the same object again.
"""

import dataclasses
import hashlib
import json

import recognition as recognising
import video

from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="video_analytics", version="0.0.1")

PARTS = 4
MOST_FRAMES = 100


@workflow.serverless_function(name="get_input", entry_point=True)
def get_input(event):
    """Check the video: `{"video": KEY_OF_AN_OBJECT, "frames": 3}`; `frames` a part may be left out."""
    key = event.get("video") if isinstance(event, dict) else None
    if not isinstance(key, str):
        raise TypeError('the input must name the object with the video: {"video": "four_pictures.mp4"}')
    frames = event.get("frames", 3)
    if not isinstance(frames, int) or isinstance(frames, bool) or not 1 <= frames <= MOST_FRAMES:
        raise ValueError(f"'frames' is {frames!r}, not a whole number from 1 to {MOST_FRAMES}")
    body = workflow.read_object(key)
    video.check_video(body)
    digest = hashlib.sha256(body + str(frames).encode()).hexdigest()[:16]
    request = {"video": key, "frames": frames}
    workflow.invoke_serverless_function(streaming, {**request, "part": 0, "results": f"results/{digest}/0"})
    workflow.invoke_serverless_function(streaming, {**request, "part": 1, "results": f"results/{digest}/1"})
    workflow.invoke_serverless_function(streaming, {**request, "part": 2, "results": f"results/{digest}/2"})
    workflow.invoke_serverless_function(streaming, {**request, "part": 3, "results": f"results/{digest}/3"})


@workflow.serverless_function(name="streaming")
def streaming(request):
    """Cut a part out of the video, without decoding it."""
    part = video.cut_part(workflow.read_object(request["video"]), request["part"], PARTS)
    key = f"{request['results']}/part.mkv"
    workflow.write_object(key, part.body)
    interval = [part.interval.start_s, part.interval.end_s]
    workflow.invoke_serverless_function(decode, {**request, "video": key, "interval": interval})


@workflow.serverless_function(name="decode")
def decode(request):
    """Decode frames of the part."""
    part = video.Part(workflow.read_object(request["video"]), video.Interval(*request["interval"]))
    key = f"{request['results']}/frames.mjpeg"
    workflow.write_object(key, video.decode_frames(part, request["frames"]))
    workflow.invoke_serverless_function(
        recognition, {"frames": key, "part": request["part"], "results": request["results"]}
    )


@workflow.serverless_function(name="recognition")
def recognition(request):
    """Tell what the frames show."""
    recognised = recognising.recognise(workflow.read_object(request["frames"]))
    key = f"{request['results']}/recognition.json"
    result = {"part": request["part"], **dataclasses.asdict(recognised)}
    workflow.write_object(key, json.dumps(result, indent=2).encode())
    best = recognised.overall[0]
    return {"part": request["part"], "shows": best.name, "probability": best.probability, "recognition": key}
