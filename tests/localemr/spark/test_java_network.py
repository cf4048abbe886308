"""How Java is told of the machine's proxies and certificates."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.spark.java import find_java
from airflow_provider_emrkit.localemr.spark.java_network import network_options, proxy_options, trust_store

PEM = Path(__file__).with_name("certificate.pem")


def test_proxies():
    environ = {"HTTP_PROXY": "proxy:3128", "https_proxy": "http://u:p@other", "NO_PROXY": "a, .b,,[::1]"}
    assert proxy_options(environ) == [
        "-Dhttp.proxyHost=proxy",
        "-Dhttp.proxyPort=3128",
        "-Dhttps.proxyHost=other",
        "-Dhttps.proxyPort=80",
        "-Dhttp.nonProxyHosts=a|*.b|[::1]",
    ]


def test_without_proxies_and_certificates_there_is_nothing_to_say(tmp_path):
    assert network_options({"NO_PROXY": "a"}, tmp_path) == []
    assert network_options({"SSL_CERT_FILE": str(tmp_path / "gone")}, tmp_path) == []
    (tmp_path / "empty").touch()
    assert network_options({"SSL_CERT_FILE": str(tmp_path / "empty")}, tmp_path) == []


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_certificates_are_written_for_java(tmp_path, name):
    options = network_options({name: str(PEM)}, tmp_path)
    assert options == [
        f"-Djavax.net.ssl.trustStore={tmp_path / 'certificates.jks'}",
        "-Djavax.net.ssl.trustStoreType=JKS",
    ]


def test_java_reads_them(tmp_path):
    java = find_java((17, 21, 11), tmp_path, print)
    keytool = shutil.which("keytool", path=str(java.home / "bin")) or shutil.which("keytool")
    if keytool is None:
        pytest.skip("no keytool")
    store = tmp_path / "store.jks"
    certificate = ssl.PEM_cert_to_DER_cert(PEM.read_text())
    store.write_bytes(trust_store([certificate, certificate]))
    done = subprocess.run(
        [keytool, "-list", "-rfc", "-keystore", str(store), "-storetype", "JKS"],
        input="\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    assert done.stdout.count("BEGIN CERTIFICATE") == 2
    assert "Your keystore contains 2 entries" in done.stdout
