"""A stand-in for EMR's image for EMR Serverless, which can't be pulled everywhere: what jobs need of it.

Its user, directory, entry point, environment and the names of its files are those of EMR's; its programs say
what they are and no more, but for Python. Package managers tell what they are asked to install.
"""

from __future__ import annotations

import shutil

JARS = (
    "spark-core_2.12-3.5.6-amzn-1",
    "spark-catalyst_2.12-3.5.6-amzn-1",
    "spark-hive_2.12-3.5.6-amzn-1",
    "spark-launcher_2.12-3.5.6-amzn-1",
    "spark-network-common_2.12-3.5.6-amzn-1",
    "spark-sql_2.12-3.5.6-amzn-1",
    "hadoop-client-api-3.4.1-amzn-2",
    "hadoop-client-runtime-3.4.1-amzn-2",
    "jackson-databind-2.15.2",
    "py4j-0.10.9.7",
    "scala-library-2.12.18",
)
HADOOP = (
    "hadoop-auth.jar",
    "hadoop-aws.jar",
    "hadoop-common.jar",
    "lib/commons-configuration2-2.10.1.jar",
    "lib/guava-32.0.1-jre.jar",
    "lib/woodstox-core-5.4.0.jar",
)
PROGRAMS = ("find-spark-home", "pyspark", "spark-class", "spark-shell", "spark-sql", "spark-submit")
MANAGER = '#!/bin/sh\necho "$0 $*" >> /var/log/packages\n'
JAVA = "#!/bin/sh\necho 'openjdk version \"17.0.15\"' >&2\n"

LINES = (
    "RUN groupadd --gid 1000 hadoop && useradd --uid 999 --gid 1000 --create-home hadoop",
    "COPY root /",
    # As EMR's has it: a link, and a Python of its own.
    "RUN mkdir -p /etc/alternatives && ln -s /opt/jre /etc/alternatives/jre",
    "RUN ln -s /usr/bin/python3 /usr/bin/python3.9",
    "ENV SPARK_HOME=/usr/lib/spark JAVA_HOME=/etc/alternatives/jre",
    "WORKDIR /home/hadoop",
    "USER hadoop:hadoop",
    'ENTRYPOINT ["/usr/bin/entrypoint.sh"]',
)

# Pythons of uv's can't be downloaded everywhere: this one takes the system's, and leaves the rest to uv.
UV = """\
#!/bin/sh
case "$1 $2" in
"python install")
  at=$UV_PYTHON_INSTALL_DIR/cpython-$3-linux
  mkdir -p $at/bin $at/lib && cp -r /usr/lib/python3.11 $at/lib/ && cp /usr/bin/python3.11 $at/bin/
  ln -s python3.11 $at/bin/python3 && chmod 700 $at/bin/python3.11 && umask 077 ;;
"python find") echo $UV_PYTHON_INSTALL_DIR/cpython-$4-linux/bin/python3.11 ;;
*) exec /opt/uv/uv "$@" ;;
esac
"""


def write(directory, first_image, label):
    """Write what it is built from.

    :param label: Of all images that are made of it.
    """
    root = directory / "root"
    for name in (
        *(f"usr/lib/spark/jars/{jar}.jar" for jar in JARS),
        *(f"usr/lib/hadoop/{jar}" for jar in HADOOP),
    ):
        _file(root / name, "", 0o644)
    for name in (*(f"usr/lib/spark/bin/{one}" for one in PROGRAMS), "usr/bin/tini", "usr/bin/entrypoint.sh"):
        _file(root / name, '#!/bin/sh\nexec "$@"\n')
    _file(root / "opt/jre/bin/java", JAVA)
    for name in ("dnf", "yum"):
        _file(root / "usr/bin" / name, MANAGER)
    _file(root / "etc/os-release", 'PRETTY_NAME="Amazon Linux 2023.7"\n', 0o644)
    (directory / "Dockerfile").write_text("\n".join((f"FROM {first_image}", f"LABEL {label}", *LINES, "")))


def write_uv(directory):
    """Write what an image is built from that has such a uv, as uv's own image has one.

    :return: Line for the Dockerfile of the base: it has the real uv then, which it finds beside it.
    """
    import uv

    _file(directory / "uv", UV)
    shutil.copy(uv.find_uv_bin(), directory / "real")
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY uv /uv\n")
    return "COPY real /opt/uv/uv"


def _file(path, text, mode=0o755):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
