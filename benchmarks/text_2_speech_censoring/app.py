"""Speech of a text with its profane words bleeped out.

    get_input --> text_2_speech --> conversion --> compression --> merge_function --> censor
        |                                                               ^
        +---------------------> profanity ------------------------------+

Sound is handed on through the workflow's objects, everything else in messages. Keys follow from the spoken sound: a
text that is spoken again, a little differently, does not change what a run is working on.
"""

import hashlib

import audio
import censor as bleeping
import profanity as swearing
import speech

from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="text_2_speech_censoring", version="0.0.1")


@workflow.serverless_function(name="get_input", entry_point=True)
def get_input(event):
    """Read the text: `{"text": KEY_OF_AN_OBJECT, "format": "ogg"}`; the format may be left out."""
    key = event.get("text") if isinstance(event, dict) else None
    if not isinstance(key, str):
        raise TypeError('the input must name the object with the text: {"text": "statement.txt"}')
    audio_format = event.get("format", "ogg")
    audio.check_format(audio_format)
    body = workflow.read_object(key)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise speech.SpeechError(f"object '{key}' is no text in UTF-8: {error}") from error
    speech.check_text(text)
    workflow.invoke_serverless_function(text_2_speech, {"text": text, "format": audio_format})
    workflow.invoke_serverless_function(profanity, {"text": text})


@workflow.serverless_function(name="text_2_speech")
def text_2_speech(request):
    """Speak the text."""
    spoken = speech.speak(request["text"])
    audio_format = request["format"]
    results = f"results/{hashlib.sha256(spoken.wav + audio_format.encode()).hexdigest()[:16]}"
    key = f"{results}/speech.wav"
    workflow.write_object(key, spoken.wav)
    words = [[word.position, word.start_s, word.end_s] for word in spoken.words]
    workflow.invoke_serverless_function(
        conversion, {"audio": key, "words": words, "format": audio_format, "results": results}
    )


@workflow.serverless_function(name="conversion")
def conversion(request):
    """Bring the speech to one rate and loudness."""
    key = f"{request['results']}/converted.wav"
    workflow.write_object(key, audio.convert(workflow.read_object(request["audio"])))
    workflow.invoke_serverless_function(compression, {**request, "audio": key})


@workflow.serverless_function(name="compression")
def compression(request):
    """Compress the speech."""
    key = f"{request['results']}/compressed.{request['format']}"
    workflow.write_object(key, audio.compress(workflow.read_object(request["audio"]), request["format"]))
    workflow.invoke_serverless_function(merge_function, {**request, "audio": key})


@workflow.serverless_function(name="profanity")
def profanity(request):
    """Find the profane words of the text."""
    spans = swearing.find_profanity(request["text"])
    workflow.invoke_serverless_function(merge_function, spans)


@workflow.serverless_function(name="merge_function")
def merge_function():
    """Tell when the profane words are spoken."""
    arrived = {result.function: result.payload for result in workflow.get_predecessor_results()}
    request = arrived["compression"]
    words = [speech.Word(*word) for word in request.pop("words")]
    intervals = bleeping.profane_intervals(words, arrived["profanity"])
    workflow.invoke_serverless_function(censor, {**request, "intervals": intervals})


@workflow.serverless_function(name="censor")
def censor(request):
    """Put a tone over the profane words."""
    key = f"{request['results']}/censored.{request['format']}"
    body = bleeping.bleep(workflow.read_object(request["audio"]), request["intervals"], request["format"])
    workflow.write_object(key, body)
    return {"audio": key, "intervals": request["intervals"]}
