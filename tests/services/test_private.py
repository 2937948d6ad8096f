"""What private indexes answer to an upload: by status, whatever their words, with a way on that fits a token."""

from __future__ import annotations

import pytest

from hephaestus.services.private import explain_token_upload
from hephaestus.services.uploading import explain_upload


def twine(status: str, said: str = "") -> str:
    """What twine 7.0.0 prints of a refused upload."""
    return (
        "Uploading distributions to https://packages.example.org/upload/\n"
        "Uploading tiny_thing-1.0.401-py3-none-any.whl\n"
        "INFO     Response from https://packages.example.org/upload/:\n"
        f"         {status}\n"
        f"ERROR    HTTPError: {status} from https://packages.example.org/upload/\n"
        f"         {said}\n"
    )


@pytest.mark.parametrize(
    ("output", "meaning", "remedy"),
    [
        (twine("401 Unauthorized"), "does not accept the token", "correct MY_TOKEN"),
        (twine("403 Forbidden"), "does not let it upload", "token of MY_TOKEN"),
        (twine("403 Forbidden", "insufficient_scope"), "does not let it upload", "right to upload"),
        (twine("409 Conflict"), "has a file of this name", "raise the version"),
        (twine("409 Conflict", "Package 'x.whl' already exists!"), "has a file of this name", "raise the version"),
        (twine("400 Bad Request", "File name has already been taken"), "has a file of this name", "raise the version"),
        (twine("400 Repository does not allow updating assets: pypi"), "has a file of this name", "raise the version"),
        (twine("407 Proxy Authentication Required"), "proxy", "HTTPS_PROXY"),
        (twine("404 Not Found"), "nothing takes uploads", "correct `upload-url`"),
        (twine("405 Method Not Allowed"), "nothing takes uploads", "correct `upload-url`"),
        (twine("413 Request Entity Too Large"), "larger than", "raise its limit"),
        ("SSLError: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed", "certificate is not trusted", "SSL_CERT_FILE"),
    ],
)
def test_statuses_have_a_meaning_and_a_way_on(output: str, meaning: str, remedy: str) -> None:
    """Each answer: what it means, what to do, nothing that waiting would mend; no workflow is spoken of."""
    answer = explain_token_upload(output, variable="MY_TOKEN")
    assert meaning in answer.meaning
    assert remedy in answer.remedy
    assert not answer.transient
    assert not {"workflow", "Publishing", "job"} & set(f"{answer.meaning} {answer.why} {answer.remedy}".split())


@pytest.mark.parametrize("status", ["500 Internal Server Error", "502 Bad Gateway", "429 Too Many Requests"])
def test_passing_trouble_is_the_same_everywhere(status: str) -> None:
    """What is no matter of tokens is explained as for any index, and tried again."""
    assert explain_token_upload(twine(status), variable="MY_TOKEN") == explain_upload(twine(status))
    assert explain_token_upload(twine(status), variable="MY_TOKEN").transient


def test_an_answer_that_nobody_knows_is_passed_on() -> None:
    """In the index's own words; numbers in file names are no statuses."""
    answer = explain_token_upload(twine("400 Bad Request", "the stars are wrong"), variable="MY_TOKEN")
    assert "the stars are wrong" in answer.meaning
