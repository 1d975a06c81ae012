"""The client of a registry: what it sends, what it believes, and what it makes of registries that misbehave."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator

import pytest

from multi_x_serverless.cloud.aws.image_copy import copy_image
from multi_x_serverless.cloud.aws.image_manifest import Blob, read_manifest, read_platform
from multi_x_serverless.cloud.aws.registry import ATTEMPTS, FIRST_PAUSE_S, Patience, Registry
from multi_x_serverless.errors import CloudError, ResourceNotFoundError
from tests.oci_images import (
    INDEX_TYPE,
    MANIFEST_TYPE,
    PASSWORD,
    USERNAME,
    Answer,
    OciRegistry,
    Request,
    TinyImage,
    push,
    sha256,
    tiny_image,
)

REPOSITORY = "mxs-example-1234"

Lie = Callable[[Request], Answer | None]


class Clients:
    """Two registries, their clients, and the pauses that were made."""

    def __init__(self, source: OciRegistry, target: OciRegistry) -> None:
        self.pauses: list[float] = []
        self.source_server, self.target_server = source, target
        self.source, self.target = self.client(source), self.client(target)

    def client(self, server: OciRegistry, **patience: float) -> Registry:
        return Registry(server.url, USERNAME, PASSWORD, patience=Patience(**patience), pause=self.pauses.append)

    def copy(self, image: TinyImage) -> int:
        return copy_image(self.source, self.target, REPOSITORY, image.digest, "tag")


@pytest.fixture
def clients() -> Iterator[Clients]:
    with OciRegistry().running() as source, OciRegistry().running() as target:
        made = Clients(source, target)
        yield made
        made.source.close()
        made.target.close()


def once(answer: Answer, method: str, part: str) -> Lie:
    """A lie that is told once."""
    told: list[Request] = []

    def lie(request: Request) -> Answer | None:
        if told or request.method != method or part not in request.path:
            return None
        told.append(request)
        return answer

    return lie


def always(answer: Answer, method: str, part: str) -> Lie:
    return lambda request: answer if request.method == method and part in request.path else None


def layer_of(image: TinyImage) -> Blob:
    return image.parsed.layers[0]


def test_an_image_is_copied_with_its_digest_and_all_its_blobs(clients: Clients) -> None:
    image = tiny_image("one", "two")
    push(clients.source, REPOSITORY, "tag", image)
    moved = clients.copy(image)
    assert moved == image.size_bytes + len(image.manifest)
    assert clients.target.get_manifest(REPOSITORY, "tag") == image.parsed
    assert {digest: body for (_, digest), body in clients.target_server.blobs.items()} == image.blobs


def test_what_is_there_is_not_copied_again(clients: Clients) -> None:
    first, second = tiny_image("shared", "one"), tiny_image("shared", "two")
    clients.source_server.add(REPOSITORY, "tag", first)
    assert clients.copy(first) > 0
    uploads = len(clients.target_server.asked("PATCH"))
    assert clients.copy(first) == 0
    assert len(clients.target_server.asked("PATCH")) == uploads
    clients.source_server.add(REPOSITORY, "other", second)
    copy_image(clients.source, clients.target, REPOSITORY, second.digest, "other")
    assert len(clients.target_server.asked("PATCH")) == uploads + 2  # a layer and the configuration


def test_a_layer_that_an_image_has_twice_is_sent_once(clients: Clients) -> None:
    image = tiny_image("same", "same")
    clients.source_server.add(REPOSITORY, "tag", image)
    assert clients.copy(image) == image.size_bytes + len(image.manifest)
    assert len(clients.target_server.asked("PATCH")) == 2


def test_a_large_layer_passes_in_pieces(clients: Clients) -> None:
    image = tiny_image("large", padding=random.Random(1).randbytes(2_000_000))
    clients.source_server.add(REPOSITORY, "tag", image)
    clients.copy(image)
    assert clients.target_server.blobs[REPOSITORY, layer_of(image).digest] == image.blobs[layer_of(image).digest]


def test_a_missing_image_is_none_or_an_error_that_names_it(clients: Clients) -> None:
    assert clients.source.find_manifest(REPOSITORY, "tag") is None
    with pytest.raises(ResourceNotFoundError, match=f"there is no image '{clients.source.host}/{REPOSITORY}:tag'"):
        clients.source.get_manifest(REPOSITORY, "tag")
    assert clients.pauses == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_tried_again_with_growing_pauses(clients: Clients, status: int) -> None:
    image = tiny_image()
    clients.source_server.add(REPOSITORY, "tag", image)
    clients.source_server.lie = once(Answer(status, b"busy"), "GET", "/manifests/")
    assert clients.source.get_manifest(REPOSITORY, "tag").digest == image.digest
    assert clients.pauses == [FIRST_PAUSE_S]
    clients.source_server.lie = always(Answer(status, b"busy"), "GET", "/manifests/")
    clients.pauses.clear()
    with pytest.raises(CloudError, match=f"answered {status} about .* \\(busy\\)") as caught:
        clients.source.get_manifest(REPOSITORY, "tag")
    assert caught.value.retryable
    assert clients.pauses == [FIRST_PAUSE_S * 2**attempt for attempt in range(ATTEMPTS - 1)]


def test_refused_credentials_are_said_at_once_and_not_shown(clients: Clients) -> None:
    stranger = Registry(clients.source.url, USERNAME, "wrong password", pause=clients.pauses.append)
    with pytest.raises(CloudError, match=r"401 .*UNAUTHORIZED: who are you\?.* credentials") as caught:
        stranger.get_manifest(REPOSITORY, "tag")
    assert not caught.value.retryable
    assert "wrong password" not in str(caught.value)
    assert clients.pauses == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(200, b"other bytes of a layer"), "is not what its digest says|longer than|too early"),
        (Answer(200, b"short"), "ended .* bytes too early"),
        (Answer(200, b"x" * 1000, announced=2000), "longer than its manifest says"),
        (Answer(404), "answered 404 about blob"),
    ],
)
def test_a_blob_that_is_not_what_it_should_be_never_reaches_the_target(
    clients: Clients, answer: Answer, words: str
) -> None:
    image = tiny_image()
    layer = layer_of(image)
    clients.source_server.add(REPOSITORY, "tag", image)
    clients.source_server.lie = always(answer, "GET", layer.digest)
    with pytest.raises(CloudError, match=words):
        clients.copy(image)
    assert (REPOSITORY, layer.digest) not in clients.target_server.blobs
    assert clients.target_server.manifests == {}


def test_a_tampered_blob_of_the_right_length_is_refused_without_another_attempt(clients: Clients) -> None:
    image = tiny_image()
    layer = layer_of(image)
    body = bytearray(image.blobs[layer.digest])
    body[-1] ^= 1
    clients.source_server.add(REPOSITORY, "tag", image)
    clients.source_server.lie = always(Answer(200, bytes(body)), "GET", layer.digest)
    with pytest.raises(CloudError, match="is not what its digest says") as caught:
        clients.copy(image)
    assert not caught.value.retryable
    assert len(clients.source_server.asked("GET", layer.digest)) == 1
    assert clients.target_server.manifests == {}
    assert (REPOSITORY, layer.digest) not in clients.target_server.blobs


def test_a_truncated_download_is_fetched_again(clients: Clients) -> None:
    image = tiny_image()
    layer = layer_of(image)
    body = image.blobs[layer.digest]
    clients.source_server.add(REPOSITORY, "tag", image)
    clients.source_server.lie = once(Answer(200, body[:20], announced=len(body)), "GET", layer.digest)
    clients.copy(image)
    assert clients.pauses == [FIRST_PAUSE_S]
    assert clients.target_server.blobs[REPOSITORY, layer.digest] == body


def test_a_download_that_is_too_slow_is_given_up(clients: Clients) -> None:
    image = tiny_image()
    layer = layer_of(image)
    clients.source_server.add(REPOSITORY, "tag", image)
    slow = Answer(200, image.blobs[layer.digest], pause_s=0.3)
    clients.source_server.lie = always(slow, "GET", layer.digest)
    impatient = clients.client(clients.source_server, read_s=0.05)
    with pytest.raises(CloudError, match="does not answer as it should") as caught:
        impatient.read_blob(REPOSITORY, layer)
    assert caught.value.retryable
    dripping = clients.client(clients.source_server, read_s=5.0, slowest_bytes_per_s=-len(slow.body) / 4.9)
    with pytest.raises(CloudError, match="comes too slowly") as caught:
        dripping.read_blob(REPOSITORY, layer)
    assert caught.value.retryable


def test_a_manifest_of_another_digest_is_refused(clients: Clients) -> None:
    image, other = tiny_image("wanted"), tiny_image("other")
    clients.source_server.lie = always(
        Answer(200, other.manifest, {"Content-Type": MANIFEST_TYPE}), "GET", "/manifests/"
    )
    with pytest.raises(CloudError, match=f"gave {other.digest} for .*{image.digest}.*cannot be trusted"):
        clients.copy(image)
    assert clients.target_server.requests == []


def test_a_target_that_has_something_else_afterwards_is_noticed(clients: Clients) -> None:
    image, other = tiny_image("wanted"), tiny_image("other")
    clients.source_server.add(REPOSITORY, "tag", image)
    clients.target_server.immutable = False

    def lie(request: Request) -> Answer | None:
        if request.method == "GET" and clients.target_server.manifests:
            return Answer(200, other.manifest, {"Content-Type": MANIFEST_TYPE})
        return None

    clients.target_server.lie = lie
    with pytest.raises(CloudError, match=f"is {other.digest} after it was copied, and should be {image.digest}"):
        clients.copy(image)


def test_a_target_that_stores_another_digest_is_noticed(clients: Clients) -> None:
    image = tiny_image()
    clients.source_server.add(REPOSITORY, "tag", image)
    wrong = Answer(201, headers={"Docker-Content-Digest": sha256(b"wrong")})
    clients.target_server.lie = once(wrong, "PUT", "/blobs/uploads/")
    with pytest.raises(CloudError, match=f"stored blob .* as {sha256(b'wrong')}"):
        clients.copy(image)


def test_a_target_that_stores_another_manifest_is_noticed(clients: Clients) -> None:
    image = tiny_image()
    wrong = Answer(201, headers={"Docker-Content-Digest": sha256(b"wrong")})
    clients.target_server.lie = once(wrong, "PUT", "/manifests/")
    with pytest.raises(CloudError, match=f"stored image .* as {sha256(b'wrong')}, and it is {image.digest}"):
        clients.target.put_manifest(REPOSITORY, "tag", image.parsed)


def test_a_tag_of_another_image_is_not_overwritten(clients: Clients) -> None:
    image, other = tiny_image("wanted"), tiny_image("other")
    clients.source_server.add(REPOSITORY, "tag", image)
    clients.target_server.add(REPOSITORY, "tag", other)
    with pytest.raises(CloudError, match="TAG_INVALID"):
        clients.copy(image)
    assert clients.target_server.manifests[REPOSITORY, "tag"][1] == other.manifest


def test_a_manifest_whose_answer_was_lost_is_no_failure(clients: Clients) -> None:
    image = tiny_image()
    clients.target_server.add(REPOSITORY, "tag", image)
    clients.target.put_manifest(REPOSITORY, "tag", image.parsed)
    assert len(clients.target_server.asked("PUT")) == 1


def test_an_upload_that_breaks_off_is_begun_anew(clients: Clients) -> None:
    image = tiny_image()
    clients.source_server.add(REPOSITORY, "tag", image)
    clients.target_server.lie = once(Answer(502), "PATCH", "")
    clients.copy(image)
    assert clients.pauses == [FIRST_PAUSE_S]
    assert clients.target.get_manifest(REPOSITORY, "tag").digest == image.digest


def test_credentials_do_not_follow_a_redirect(clients: Clients) -> None:
    image = tiny_image()
    layer = layer_of(image)
    clients.source_server.add(REPOSITORY, "tag", image)
    with OciRegistry(password="").running() as store:
        store.lie = lambda request: Answer(200, image.blobs[layer.digest])
        elsewhere = Answer(307, headers={"Location": f"{store.url}/bucket/layer?signature=1"})
        clients.source_server.lie = always(elsewhere, "GET", layer.digest)
        clients.copy(image)
        assert [request.path for request in store.requests] == ["/bucket/layer?signature=1"]
        assert store.requests[0].authorization is None
    assert clients.target_server.blobs[REPOSITORY, layer.digest] == image.blobs[layer.digest]


def test_credentials_do_not_follow_an_upload_to_another_host(clients: Clients) -> None:
    image = tiny_image()
    clients.source_server.add(REPOSITORY, "tag", image)
    with OciRegistry(password="").running() as store:
        store.lie = lambda request: Answer(202 if request.method == "PATCH" else 201)
        elsewhere = Answer(202, headers={"Location": f"{store.url}/upload"})
        clients.target_server.lie = once(elsewhere, "POST", "/uploads/")
        with pytest.raises(CloudError, match="MANIFEST_BLOB_UNKNOWN"):
            clients.copy(image)
        assert {request.authorization for request in store.requests} == {None}
        assert [request.method for request in store.requests] == ["PATCH", "PUT"]


@pytest.mark.parametrize("location", ["", "file:///etc/passwd", "ftp://x/y"])
def test_a_redirect_to_what_is_no_web_address_is_refused(clients: Clients, location: str) -> None:
    image = tiny_image()
    clients.source_server.lie = lambda request: Answer(302, headers={"Location": location})
    with pytest.raises(CloudError, match="sends us from"):
        clients.source.read_blob(REPOSITORY, layer_of(image))


def test_nothing_leads_from_an_encrypted_connection_to_an_open_one() -> None:
    registry = Registry("https://registry.example")
    with pytest.raises(CloudError, match=r"sends us from registry\.example to 'http://registry\.example/x'"):
        registry._follow("https://registry.example/y", "http://registry.example/x", "a blob")
    assert registry._follow("https://registry.example/y", "/z", "a blob") == "https://registry.example/z"


def test_redirects_without_end_are_given_up(clients: Clients) -> None:
    layer = layer_of(tiny_image())
    clients.source_server.lie = lambda request: Answer(307, headers={"Location": request.path})
    with pytest.raises(CloudError, match="more than 5 times"):
        clients.source.read_blob(REPOSITORY, layer)
    assert len(clients.source_server.requests) == 6


def test_an_endless_manifest_is_not_read_to_its_end(clients: Clients) -> None:
    endless = Answer(200, b" " * (5 * 1024**2), {"Content-Type": MANIFEST_TYPE})
    clients.source_server.lie = lambda request: endless
    with pytest.raises(CloudError, match="has more than 4,194,304 bytes"):
        clients.source.get_manifest(REPOSITORY, "tag")


def test_a_configuration_that_is_too_large_is_not_read(clients: Clients) -> None:
    with pytest.raises(CloudError, match="too many for a configuration"):
        clients.source.read_blob(REPOSITORY, Blob(sha256(b"x"), 2**30))
    assert clients.source_server.requests == []


def test_a_registry_that_is_not_there_is_retryable() -> None:
    with OciRegistry().running() as server:
        url = server.url
    pauses: list[float] = []
    with pytest.raises(CloudError, match="does not answer as it should") as caught:
        Registry(url, pause=pauses.append).find_manifest(REPOSITORY, "tag")
    assert caught.value.retryable
    assert len(pauses) == ATTEMPTS - 1


def changed(**members: object) -> bytes:
    return json.dumps({**json.loads(tiny_image().manifest), **members}).encode()


@pytest.mark.parametrize(
    ("body", "media_type", "words"),
    [
        (b'{"manifests": []}', INDEX_TYPE, "index of several images .* --provenance=false"),
        (b'{"manifests": []}', MANIFEST_TYPE, "index of several images"),
        (changed(mediaType=INDEX_TYPE), MANIFEST_TYPE, "index of several images"),
        (b"not json", MANIFEST_TYPE, "is not JSON"),
        (b"[]", MANIFEST_TYPE, "no JSON object"),
        (changed(mediaType="text/plain"), MANIFEST_TYPE, "type 'text/plain', which is no image"),
        (changed(layers=None), MANIFEST_TYPE, "no configuration or no list of layers"),
        (
            changed(config={"mediaType": "application/vnd.cncf.helm.config.v1+json"}),
            MANIFEST_TYPE,
            "not an image that can be run",
        ),
        (changed(layers=[{"digest": "sha256:12", "size": 1}]), MANIFEST_TYPE, "usable digest"),
        (changed(layers=[{"digest": sha256(b""), "size": -1}]), MANIFEST_TYPE, "usable digest"),
        (changed(layers=[{"digest": sha256(b""), "size": True}]), MANIFEST_TYPE, "usable digest"),
        (changed(layers=["x"]), MANIFEST_TYPE, "usable digest"),
        (
            changed(layers=[{"digest": sha256(b""), "size": 1, "urls": ["http://x"]}]),
            MANIFEST_TYPE,
            "kept elsewhere",
        ),
        (changed(layers=[{"digest": sha256(b""), "size": 11 * 2**30}]), MANIFEST_TYPE, "11.0 GB, and Lambda takes 10"),
    ],
)
def test_manifests_that_are_no_image_for_lambda_are_refused(body: bytes, media_type: str, words: str) -> None:
    with pytest.raises(CloudError, match=words) as caught:
        read_manifest(body, media_type, "image 'x'")
    assert not caught.value.retryable


def test_the_type_may_stand_in_the_header_alone() -> None:
    document = json.loads(tiny_image().manifest)
    del document["mediaType"]
    manifest = read_manifest(json.dumps(document).encode(), f"{MANIFEST_TYPE}; charset=utf-8", "x")
    assert manifest.media_type == MANIFEST_TYPE


def test_the_platform_is_read_from_the_configuration() -> None:
    assert read_platform(b'{"os": "linux", "architecture": "arm64"}', "x") == "linux/arm64"
    with pytest.raises(CloudError, match="is not JSON"):
        read_platform(b"\xff", "x")
