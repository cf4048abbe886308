"""A client that dies while it sends an object: what has arrived of it is nothing."""

from __future__ import annotations

import socket

import pytest

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
)


def send_half(port: int, target: str, length: int, sent: int) -> None:
    """Announce a body, send less, and wait until the server has done with the request."""
    head = f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {AUTHORIZATION}\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode() + b"x" * sent)
        client.shutdown(socket.SHUT_WR)
        while client.recv(65_536):
            pass


@pytest.mark.parametrize(("length", "sent"), [(1000, 0), (1000, 999), (20_000_000, 9_000_000)])
def test_an_object_that_was_cut_is_not_there(localemr_server, length, sent):
    s3 = localemr_server.client("s3")
    s3.create_bucket(Bucket="cut")
    s3.put_object(Bucket="cut", Key="kept", Body=b"old")
    port = int(localemr_server.endpoint_url.rpartition(":")[2])
    send_half(port, "/cut/new", length, sent)
    send_half(port, "/cut/kept", length, sent)
    assert [(item["Key"], item["Size"]) for item in s3.list_objects_v2(Bucket="cut")["Contents"]] == [
        ("kept", 3)
    ]


def test_a_part_that_was_cut_is_not_there(localemr_server):
    s3 = localemr_server.client("s3")
    s3.create_bucket(Bucket="cut")
    upload = s3.create_multipart_upload(Bucket="cut", Key="large")["UploadId"]
    port = int(localemr_server.endpoint_url.rpartition(":")[2])
    send_half(port, f"/cut/large?partNumber=1&uploadId={upload}", 1000, 999)
    assert "Parts" not in s3.list_parts(Bucket="cut", Key="large", UploadId=upload)
