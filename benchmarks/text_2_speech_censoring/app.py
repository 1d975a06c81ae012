"""Speech of a text with its profane words bleeped out.

    get_input --> text_2_speech --> conversion --> compression --> merge_function --> censor
        |                                                               ^
        +---------------------> profanity ------------------------------+

Between functions travel keys of objects and what is known of words, never sound: it lies in the home region, so a
function that is placed elsewhere pays for the distance. The keys follow from the run's id and the spoken sound: a step
that is repeated after a failure writes the same object again, and if the text is spoken again, a little differently,
what the other steps work on stays as it is.
"""

import hashlib

import audio
import censor as bleeping
import profanity as swearing
import speech

from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="text_2_speech_censoring", version="0.0.1")


class InputError(Exception):
    """The run's input cannot be worked with; trying again does not help."""


@workflow.serverless_function(name="get_input", entry_point=True)
def get_input(event):
    """Check the input: `{"text": KEY}`, optionally the `"format"` and the key of the result, `"output"`."""
    if not isinstance(event, dict) or not isinstance(event.get("text"), str):
        raise InputError(f'the input must be {{"text": KEY}} with the key of an object; it is {event!r}')
    audio_format = event.get("format", "ogg")
    if audio_format not in audio.FORMATS:
        raise InputError(f'"format" must be one of {", ".join(audio.FORMATS)}; it is {audio_format!r}')
    output = event.get("output", f"output/{workflow.run_id}.{audio_format}")
    if not isinstance(output, str):
        raise InputError(f'"output" must be the key of the result; it is {output!r}')
    try:
        text = workflow.read_object(event["text"]).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"the object '{event['text']}' is no text in UTF-8: {error}") from error
    speech.check_text(text)
    workflow.invoke_serverless_function(text_2_speech, {"text": text, "format": audio_format, "output": output})
    workflow.invoke_serverless_function(profanity, text)


@workflow.serverless_function(name="text_2_speech")
def text_2_speech(event):
    """Speak the text."""
    spoken = speech.speak(event["text"])
    work = f"work/{workflow.run_id}/{hashlib.sha256(spoken.wav).hexdigest()[:8]}"
    workflow.write_object(f"{work}/speech.wav", spoken.wav)
    words = [[word.position, word.start_s, word.end_s] for word in spoken.words]
    workflow.invoke_serverless_function(
        conversion, {"work": work, "words": words, "format": event["format"], "output": event["output"]}
    )


@workflow.serverless_function(name="conversion")
def conversion(event):
    """Bring the speech to one rate and loudness."""
    work = event["work"]
    workflow.write_object(f"{work}/converted.wav", audio.convert(workflow.read_object(f"{work}/speech.wav")))
    workflow.invoke_serverless_function(compression, event)


@workflow.serverless_function(name="compression")
def compression(event):
    """Compress the speech."""
    body = audio.compress(workflow.read_object(f"{event['work']}/converted.wav"), event["format"])
    key = f"{event['work']}/compressed.{event['format']}"
    workflow.write_object(key, body)
    workflow.invoke_serverless_function(
        merge_function,
        {"audio": key, "words": event["words"], "format": event["format"], "output": event["output"]},
    )


@workflow.serverless_function(name="profanity")
def profanity(text):
    """Find the profane words of the text."""
    workflow.invoke_serverless_function(merge_function, swearing.find_profanity(text))


@workflow.serverless_function(name="merge_function")
def merge_function():
    """Tell when the profane words are spoken."""
    arrived = {result.function: result.payload for result in workflow.get_predecessor_results()}
    compressed = arrived["compression"]
    words = [speech.Word(*word) for word in compressed["words"]]
    intervals = bleeping.profane_intervals(words, arrived["profanity"])
    workflow.invoke_serverless_function(
        censor,
        {
            "audio": compressed["audio"],
            "intervals": intervals,
            "format": compressed["format"],
            "output": compressed["output"],
        },
    )


@workflow.serverless_function(name="censor")
def censor(event):
    """Put a tone over the profane words."""
    body = bleeping.bleep(workflow.read_object(event["audio"]), event["intervals"], event["format"])
    workflow.write_object(event["output"], body)
    return {"audio": event["output"], "intervals": event["intervals"]}
