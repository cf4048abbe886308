"""Requests whose body is not what HTTP says it is."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

SIGNED = "AWS4-HMAC-SHA256 Credential=x/20261128/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    ("service", "path"), [("elasticmapreduce", "/"), ("emr-serverless", "/applications")]
)
def test_a_body_that_breaks_off_is_the_clients_error(localemr_server, service, path):
    address = urlsplit(localemr_server.endpoint_url)
    head = [
        f"POST {path} HTTP/1.1",
        f"Host: {address.netloc}",
        f"Authorization: {SIGNED.format(service)}",
        "X-Amz-Target: ElasticMapReduce.ListClusters",
        "Transfer-Encoding: chunked",
    ]
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*head, "", "no number", "{}"]).encode() + b"\r\n")
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"The request could not be read" in answer
