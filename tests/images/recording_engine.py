"""What the engine of the tests that records is: a program called docker."""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
ANSWERS = HERE / "answers.json"


def main(argv):
    answers = json.loads(ANSWERS.read_text())
    note(argv)
    command = argv[0]
    if command == "version":
        client = (
            {"Version": "28.0.0", "Arch": "amd64"} if not answers.get("podman") else {"OsArch": "linux/arm64"}
        )
        return version(answers, client)
    if command == "image":
        return inspect(answers, argv[-1])
    if command == "tag":
        answers["images"][argv[2]] = dict(answers["images"][argv[1]], RepoDigests=[])
        ANSWERS.write_text(json.dumps(answers))
        return 0
    if command == "push":
        return push(answers, argv)
    return answers.get("codes", {}).get(command, 0)


def note(argv):
    file = Path(os.environ.get("DOCKER_CONFIG", "/none")) / "config.json"
    config = json.loads(file.read_text()) if file.exists() else None
    mode = f"{file.parent.stat().st_mode & 0o777:o} {file.stat().st_mode & 0o777:o}" if config else ""
    call = {"argv": argv, "config": config, "file": str(file), "mode": mode, "environ": dict(os.environ)}
    with (HERE / "calls.jsonl").open("a") as notes:
        notes.write(json.dumps(call) + "\n")


def version(answers, client):
    if words := answers.get("stopped"):
        print(json.dumps({"Client": client, "Server": None}))
        print(words, file=sys.stderr)
        return 1
    print(json.dumps({"Client": client, "Server": None if answers.get("podman") else client}))
    return 0


def inspect(answers, name):
    if words := answers.get("broken"):
        print(words, file=sys.stderr)
        return 1
    found = answers["images"].get(name)
    print("[]" if found is None else json.dumps([found]))
    if found is None:
        print(f"Error response from daemon: No such image: {name}", file=sys.stderr)
    return found is None


def push(answers, argv):
    name = argv[-1]
    if answers.get("hangs"):
        # Whole or not at all: the test reads it as soon as it is there.
        (HERE / "pushing.new").write_text(str(os.getpid()))
        (HERE / "pushing.new").rename(HERE / "pushing")
        time.sleep(60)
    print("Pushing layer 1 of 1", flush=True)
    if code := answers.get("codes", {}).get("push"):
        print("denied: no", file=sys.stderr)
        return code
    digest = answers.get("digest") or put(answers["endpoint"], name)
    if "--digestfile" in argv:
        Path(argv[argv.index("--digestfile") + 1]).write_text(digest)
        return 0
    answers["images"][name].setdefault("RepoDigests", []).append(f"{name.rpartition(':')[0]}@{digest}")
    ANSWERS.write_text(json.dumps(answers))
    return 0


def put(endpoint, name):
    """Put an image into the ECR of a local EMR, as the registry does when an image is pushed."""
    repository, _, tag = name.partition("/")[2].rpartition(":")
    layers = [{"digest": f"sha256:{tag}", "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"}]
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"digest": f"sha256:{tag}", "mediaType": "application/vnd.docker.container.image.v1+json"},
        "layers": layers,
    }
    request = {"repositoryName": repository, "imageTag": tag, "imageManifest": json.dumps(manifest)}
    # Not with boto3, which takes longer to import than all else here.
    scope = f"test/20260101/{name.split('.')[3]}/ecr/aws4_request"
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.PutImage",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
    }
    with urllib.request.urlopen(
        urllib.request.Request(endpoint, json.dumps(request).encode(), headers)
    ) as got:
        return json.load(got)["image"]["imageId"]["imageDigest"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
