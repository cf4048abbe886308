"""Build the jar of localemr's ``s3://`` file system, or check that the committed one fits its sources.

The jar is committed, since users of the package have no Java compiler. It is reproducible: same sources and
same javac, same bytes. It carries the digest of every source file, so that a stale jar is noticed where there
is no javac.

    python dev/build_jar.py            # needs javac 11 or newer, and uv for Hadoop's API
    python dev/build_jar.py --check    # compares classes too where there is a javac of the same major version
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
LOCALEMR = REPOSITORY / "airflow_provider_emrkit" / "localemr"
SOURCES = LOCALEMR / "java"
JAR = LOCALEMR / "jars" / "emrkit-s3.jar"
DIGESTS = "META-INF/sources.sha256"
MANIFEST = "META-INF/MANIFEST.MF"

# Its wheel holds hadoop-client-api 3.3.4; the classes use nothing that Hadoop 3.2 to 3.5 do not have.
PYSPARK = "pyspark==3.5.6"
CACHE = REPOSITORY / ".cache" / "build-jar"
JAVA_RELEASE = "8"
# The oldest time a zip can hold.
TIMESTAMP = (1980, 1, 1, 0, 0, 0)


class BuildError(Exception):
    """The jar cannot be built or does not fit; the message says how to mend it."""


def source_files() -> list[Path]:
    """Return the Java sources in a fixed order."""
    return sorted(SOURCES.rglob("*.java"))


def source_digests() -> str:
    """Return one line ``<sha256>  <path>`` per source file, as ``sha256sum`` writes it."""
    lines = []
    for source in source_files():
        text = source.read_bytes().replace(b"\r\n", b"\n")
        lines.append(f"{hashlib.sha256(text).hexdigest()}  {source.relative_to(SOURCES).as_posix()}\n")
    return "".join(lines)


def entries_of(jar: Path) -> dict[str, bytes]:
    """Return the content of each entry of a jar by its name."""
    if not jar.is_file():
        raise BuildError(f"{jar} does not exist; build it with: python dev/build_jar.py")
    with zipfile.ZipFile(jar) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def find_javac() -> Path | None:
    """Return the compiler of ``JAVA_HOME``, else the one on ``PATH``."""
    home = os.environ.get("JAVA_HOME")
    candidate = Path(home, "bin", "javac") if home else None
    if candidate and candidate.is_file():
        return candidate
    found = shutil.which("javac")
    return Path(found) if found else None


def javac_major(javac: Path) -> str:
    """Return the major version of a compiler, e.g. ``17``."""
    answer = subprocess.run([javac, "-version"], capture_output=True, text=True, check=True)
    match = re.search(r"javac (?:1\.)?(\d+)", answer.stdout + answer.stderr)
    if match is None:
        raise BuildError(f"{javac} -version answers {answer.stdout!r}; set JAVA_HOME to a JDK 11 or newer")
    return match.group(1)


def hadoop_api(uv: str) -> Path:
    """Return Hadoop's API jar, which is taken from Spark's wheel on PyPI (300 MB, kept in ``.cache``)."""
    target = CACHE / PYSPARK.replace("==", "-")
    pattern = "pyspark/jars/hadoop-client-api-*.jar"
    if not any(target.glob(pattern)):
        place = ["--target", os.fspath(target), "--python", sys.executable]
        try:
            subprocess.run([uv, "pip", "install", "--no-deps", *place, PYSPARK], check=True)
        except FileNotFoundError:
            raise BuildError(
                f"{uv!r} is not found; pass --uv, or --hadoop-api with a hadoop-client-api jar"
            ) from None
        except subprocess.CalledProcessError:
            raise BuildError(
                f"uv could not install {PYSPARK}; pass --hadoop-api with a jar you have"
            ) from None
    return next(target.glob(pattern))


def compile_classes(javac: Path, classpath: Path) -> dict[str, bytes]:
    """Compile the sources and return the class files by their names."""
    with tempfile.TemporaryDirectory(prefix="emrkit-build-jar-") as directory:
        options = ["--release", JAVA_RELEASE, "-encoding", "UTF-8", "-g:source,lines", "-Werror"]
        # Hadoop's jar refers to annotations that are not on the class path, and newer compilers call 8 old.
        lint = "-Xlint:all,-classfile,-options"
        places = ["-cp", os.fspath(classpath), "-d", directory]
        command = [os.fspath(javac), *options, lint, *places, *map(os.fspath, source_files())]
        if subprocess.run(command, check=False).returncode != 0:
            raise BuildError("javac failed; its messages are above")
        root = Path(directory)
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.class")}


def jar_entries(javac: Path, classpath: Path) -> dict[str, bytes]:
    """Return everything the jar is to hold."""
    manifest = f"Manifest-Version: 1.0\r\nBuild-Jdk-Spec: {javac_major(javac)}\r\n\r\n"
    entries = {MANIFEST: manifest.encode(), DIGESTS: source_digests().encode()}
    return entries | compile_classes(javac, classpath)


def write_jar(jar: Path, entries: dict[str, bytes]) -> None:
    """Write a jar whose bytes depend on its entries alone; the sorted order has the manifest first."""
    jar.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, TIMESTAMP)
            info.compress_type = zipfile.ZIP_STORED if name == MANIFEST else zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, entries[name])


def check_sources(entries: dict[str, bytes]) -> None:
    """Compare the digests inside the jar with the sources.

    :raises BuildError: naming the files that differ.
    """
    committed = set(entries.get(DIGESTS, b"").decode().splitlines())
    changed = committed ^ set(source_digests().splitlines())
    if changed:
        names = ", ".join(sorted({line.split("  ", 1)[1] for line in changed}))
        raise BuildError(f"{JAR.name} is older than its sources ({names}); run: python dev/build_jar.py")


def check_classes(entries: dict[str, bytes], rebuilt: dict[str, bytes]) -> str:
    """Compare classes with a rebuild: byte by byte for the same javac, else by name; say what was compared.

    :raises BuildError: naming the classes that differ.
    """
    same_javac = entries[MANIFEST] == rebuilt[MANIFEST]
    ours, theirs = (
        {(name, content if same_javac else b"") for name, content in jar.items() if name.endswith(".class")}
        for jar in (entries, rebuilt)
    )
    if ours != theirs:
        names = ", ".join(sorted({name for name, _ in ours ^ theirs}))
        raise BuildError(f"{JAR.name} differs from a rebuild ({names}); run: python dev/build_jar.py")
    return "every class is the same as in a rebuild" if same_javac else "it holds the classes of a rebuild"


def check(javac: Path | None, classpath: Path | None) -> str:
    """Check the committed jar as far as the tools at hand allow, and say how far that was."""
    entries = entries_of(JAR)
    check_sources(entries)
    if javac is None or classpath is None:
        return "it was built from these sources (no javac here to compare the classes)"
    return check_classes(entries, jar_entries(javac, classpath))


def build(javac: Path | None, classpath: Path | None) -> str:
    """Write the jar and say what it is."""
    if javac is None or classpath is None:
        raise BuildError(
            "no javac; install a JDK 11 or newer (Debian: apt install openjdk-17-jdk-headless)"
            " or set JAVA_HOME to one"
        )
    write_jar(JAR, jar_entries(javac, classpath))
    return f"{JAR.stat().st_size} bytes, sha256 {hashlib.sha256(JAR.read_bytes()).hexdigest()}"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 when the jar does not fit"
    )
    parser.add_argument(
        "--uv", default=os.environ.get("UV", "uv"), help="the uv command (default: $UV, or uv)"
    )
    parser.add_argument(
        "--hadoop-api", type=Path, help="a hadoop-client-api jar (default: from Spark's wheel)"
    )
    options = parser.parse_args(arguments)
    try:
        javac = find_javac()
        classpath = (options.hadoop_api or hadoop_api(options.uv)) if javac else None
        print(f"{JAR.name}: {(check if options.check else build)(javac, classpath)}")
    except BuildError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
