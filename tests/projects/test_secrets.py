"""What is taken for a secret, and what is not."""

from __future__ import annotations

import time
import timeit

import pytest

from airflow_provider_emrkit.projects.secrets import holds_secret, named_secret, written_secrets


@pytest.mark.parametrize(
    "text",
    [
        "db: {url: x, password: hunter2}",
        "a: 1\n  password: 'hunter2'\n",
        '{"db_password": "hunter2"}',
        "spark.hadoop.javax.jdo.option.ConnectionPassword=hunter2",
        "Passwd = hunter2",
        "con: postgresql://etl:hunter2@db.example.com/sales",
        "con: redis://:hunter2@cache",
        "# con: postgresql://etl:hunter2@db.example.com/sales",
        "key: AKIAABCDEFGHIJKLMNOP",
        "token: ghp_" + "a1" * 18,
        "header: Bearer glpat-" + "x" * 20,
        "client_secret: " + "aB3-" * 10,
        '{"api_key": "' + "0123456789abcdef" * 2 + '"}',
        "fs.azure.account.key.lake: AccountKey=" + "aB3/" * 20 + "==",
        "client_secret: Xy8Q~.abcDEFghi_jklMNO-pqrSTUvwxyz01234567",
        "client_secret: 'abc8Q~" + "d" * 34 + "'",
        "token: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJldGwifQ.c2lnbmF0dXJl-x_",
        "pwd: hunter2",
        "DB_PWD=hunter2",
        "odbc: Driver=ODBC;Uid=etl;Pwd=hunter2;",
        "passphrase: hunter2",
        "key_passphrase: 'hunter 2'",
        'sas_token: "?sv=2022-11-02&ss=b&sp=rl&se=2030-01-01T00:00:00Z&sig=aB3%2Fx' + "Y7" * 16 + '%3D"',
        "url: https://lake.blob.core.windows.net/in?sv=2022-11-02&sig=" + "aB3" * 14 + "%3D",
        "db:\n  password:\n    hunter2\n",
        "password:   # of the warehouse\r\n\r\n  hunter2\r\n",
        "- db_password:\n    'hunter2'",
        '{\n  "password":\n    "hunter2"\n}',
        "password: no-entry",
        "password: true.love",
        "pwd: on1y-me",
        "DB_PWD=hunter/2",
        "odbc: Driver=ODBC;Pwd=hunter/2;",
        "{pwd: hunter2, path: a/b}",
        "a: 'sig=aB3%2Fx" + "Y7" * 16 + "'",
        "a: sig=" + "aB3" * 14 + "=",
        "password: pwd-of-etl",
    ],
)
def test_a_key_or_password_that_is_written_out(text):
    assert holds_secret(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "password: ${oc.env:DB_PASSWORD}",
        "password: '${oc.env:DB_PASSWORD}'",
        "password:\nuser: etl",
        "password: null",
        "reset_password: true",
        'password: ""',
        "password: <yours>",
        "con: postgresql://${user}:${password}@db/sales",
        "con: postgresql://user:password@db/sales",
        "con: postgresql://db.example.com:5432/sales",
        "path: s3://bucket/a:b@c",
        "credentials: db",
        "columns: [user, password]",
        "passwords_table: users",
        "secret: prod/warehouse/login",
        "secret: arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/warehouse/login-AbCdEf",
        "token: ${oc.env:TOKEN}",
        "max_tokens: 10000000000000000000000000000000000",
        "pwd: ${oc.env:DB_PWD}",
        "pwd: '${oc.env:DB_PWD}'",
        "pwd: /opt/app",
        "PWD=/home/hadoop",
        'pwd: "."',
        "pwd:",
        "passphrase: ''",
        "passphrase: {{ passphrase }}",
        "passphrase: <yours>",
        "passphrase: arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/key-AbCdEf",
        "passphrase: ~",
        "passphrase: passphrase",
        "{password: 'pwd', a: b}",
        "reset_password: yes",
        "use_passphrase: no # never",
        "{reset_password: off, user: etl}",
        "con: postgresql://user:none@db/sales",
        "sas_token: ${oc.env:SAS_TOKEN}",
        "url: https://lake.blob.core.windows.net/in?sv=2022-11-02&sig=${oc.env:SIG}",
        "sig=short",
        "params: sig=default_signature_threshold_5",
        "params: f(sig=default_signature_threshold_5, x=1)",
        "pwd: data/raw",
        "pwd: 's3://bucket/x'",
        '{"pwd":\n  "data/raw"}',
        "client_secret: prod.warehouse.login.of.the.application",
        "client_secret: prod/warehouse~v2",
        "password:\n  ${oc.env:DB_PASSWORD}",
        "password:\n  min_length: 8",
        "password:\n  rules:\n    - long",
        "password:\n  - long\n  - ? x",
        "password:\n\nuser: etl",
        "db:\n  password:\n  user: etl",
        "db:\n  password:\nuser",
        "password:\n  null\n",
        "# Reset the password:\n  now",
        "pwd:\n  /opt/app",
        "primary_key: customer_id_of_the_very_first_order_ever",
    ],
)
def test_what_only_looks_like_one(text):
    assert not holds_secret(text.encode())


def test_names_of_files_with_secrets_and_of_others():
    assert named_secret("base/DB-Credentials.yml")
    assert named_secret("secrets/a.yml")
    assert not named_secret("base/catalog.yml")
    assert not named_secret("base/environment.yml")


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a: 1\ndb:\n  reset_password: never\n", [(3, "reset_password", False)]),
        ("con: postgresql://etl:hunter2@db/sales", [(1, "con", False)]),
        ("- postgresql://etl:hunter2@db/sales", [(1, "1", False)]),
        ('{"db": {"password": "x"}, "a": "AKIAABCDEFGHIJKLMNOP"}', [(1, "password", False), (1, "a", True)]),
        ("password: a\npassword: b\n", [(1, "password:1", False), (2, "password:2", False)]),
        # The end of a value is no end of a name: nobody is to be told what is before it.
        (f"a: 1\napi_key: {'aGVsbG8' * 6}==\n", [(2, "api_key", False)]),
        (f"account: AccountName=etl;AccountKey={'aGVsbG8' * 6}=;B=1", [(1, "AccountKey", False)]),
        (f'{{"aws_secret_access_key": "{"wJalr" * 8}"}}', [(1, "aws_secret_access_key", True)]),
        (f"AWS_SECRET_ACCESS_KEY={'wJalr' * 8}\n", [(1, "AWS_SECRET_ACCESS_KEY", True)]),
        ("a: 1\ndb:\n  password: # x\n\n    hun=ter2\n", [(3, "password", False)]),
        (f"a: 'x?sv=1&sig={'aB3' * 14}%3D'", [(1, "sig", False)]),
        (f"a: 'sig={'aB3' * 14}='", [(1, "sig", False)]),
        ("client_secret: Xy8Q~.abcDEFghi_jklMNO-pqrSTUvwxyz01234567", [(1, "client_secret", False)]),
        ("password:\n  AKIAABCDEFGHIJKLMNOP", [(1, "password", False), (2, "2", True)]),
        ("nothing: 1", []),
    ],
)  # fmt: skip
def test_each_place_has_a_name_of_its_own(text, places):
    found = written_secrets(text.encode())
    assert [(written.line, written.place, written.is_key) for written in found] == places


def cost(text):
    # One of many short looks is had while nothing else takes the processor's caches.
    return min(timeit.repeat(lambda: written_secrets(text), time.process_time, number=2, repeat=50))


@pytest.mark.parametrize(
    "part",
    [
        *(b" ", b"\n", b"     \n", b"#\n", b"a", b"password:", b"password:\n", b"pwd:\n ", b"pwd:"),
        *(b"token=", b"secret:~a", b"://a:", b"sig="),
    ],
)
def test_the_cost_of_a_hostile_text_grows_no_faster_than_the_text(part):
    # Eight times the length would cost 64 times as much where each character is tried from each other one.
    short, long = (b"password:\n" + part * times + b"\n$" for times in (500, 4_000))
    assert cost(long) < 24 * cost(short)
