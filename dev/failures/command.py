"""Puts a case's files on S3, and gives the step that runs it."""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from failures.case import Case, Run, unmarked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from failures.scala import Compiler

DATA = "data-lake"


@dataclass(frozen=True)
class Staging:
    """Brings cases to S3.

    :param s3: boto3 client.
    :param words: What the placeholders in options stand for.
    :param compilers: Release → its Scala compiler.

    >>> Staging(s3, {}, {}).command(case, ("emr-7.11.0", "client"))  # doctest: +SKIP
    ['spark-submit', '--deploy-mode', 'client', 's3://data-lake/missing-module/missing_module.py']
    """

    s3: Any
    words: Mapping[str, str]
    compilers: Mapping[str, Compiler]

    def command(self, case: Case, run: Run) -> list[str]:
        """Put all on S3 that a case needs, and give the arguments of its step."""
        release, mode = run
        for name, text in case.data.items():
            self._put(case, name, text.encode())
        program = [*self._modules(case), *self._program(case, release)]
        plain = ("spark-submit", "--deploy-mode", mode, *case.options, *program, *case.args)
        words = {**self.words, "mode": mode, "home": f"s3://{DATA}/{case.name}", "file": case.file}
        return [_filled(word, words) for word in case.command or plain]

    def _modules(self, case: Case) -> list[str]:
        if not case.modules:
            return []
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, source in case.modules.items():
                archive.writestr(name, unmarked(source))
        return ["--py-files", self._put(case, "modules.zip", packed.getvalue())]

    def _program(self, case: Case, release: str) -> list[str]:
        if case.job:
            return [self._put(case, case.file, unmarked(case.job).encode())]
        if not case.scala:
            return []
        compiler = self.compilers[case.compiled_for or release]
        known = [compiler.jar("Known", case.library)] if case.library else []
        job = compiler.jar("Job", unmarked(case.scala), *known)
        shipped = [compiler.jar("Shipped", case.shipped)] if case.shipped else []
        jars = ["--jars", self._upload(case, shipped[0])] if shipped else []
        return [*jars, "--class", case.main_class, self._upload(case, job)]

    def _upload(self, case: Case, file: Path) -> str:
        return self._put(case, file.name, file.read_bytes())

    def _put(self, case: Case, name: str, body: bytes) -> str:
        key = f"{case.name}/{name}"
        self.s3.put_object(Bucket=DATA, Key=key, Body=body)
        return f"s3://{DATA}/{key}"


def _filled(text: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        text = text.replace(f"{{{name}}}", os.fspath(value))
    return text
