"""Stores: what the file may say, what it becomes, and every way to say it wrongly."""

import dataclasses

import pytest

from clientcreds_proxy.config.building.pem import PemFiles
from clientcreds_proxy.config.building.place import Place
from clientcreds_proxy.config.building.store import build_store
from clientcreds_proxy.config.keys.model_store import Store
from clientcreds_proxy.config.reading.references import References
from clientcreds_proxy.config.reading.report import Report
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import ClientTls, RedisSpec, SentinelSpec, StoreSpec
from tests.unit.config.files import SOURCE, Files, fits, pairs

LONG = "0123456789abcdef"


@pytest.fixture(autouse=True)
def secrets(files: Files) -> None:
    files.environ.update({"LONG": LONG, "LONG2": LONG + "2", "SHORT": "0123456789abcde"})


def with_store(redis: str, rest: str = "secret: '${env:LONG}'", source: str = "store: shared") -> str:
    """A file with one store, whose keys of `redis` and the rest begin in line 4 and 5, and one source."""
    return (
        f"version: 1\nstores:\n  shared:\n    redis: {{{redis}}}\n    {rest}\n"
        f"token_sources: {{s: {{{SOURCE}, {source}}}}}\nrules: []\n"
    )


def store_of(files: Files, text: str) -> StoreSpec:
    store = files.load(text).sources["s"].store
    assert store is not None
    return store


def test_store_says_where_redis_is(files: Files) -> None:
    text = with_store(
        'endpoints: ["Redis-1:6379"], username: u, password: "${env:LONG2}", database: 3, tls: {}'
    )

    assert store_of(files, text) == StoreSpec(
        name="shared",
        redis=RedisSpec(
            endpoints=(("redis-1", 6379),),
            username="u",
            password=Secret(LONG + "2"),
            database=3,
            tls=ClientTls(),
        ),
        secrets=(Secret(LONG),),
    )


def test_store_says_as_little_as_it_can(files: Files) -> None:
    store = store_of(files, with_store("endpoints: redis-1"))

    assert store.redis == RedisSpec(endpoints=(("redis-1", 6379),))
    assert store.key_prefix == "clientcreds"


def test_cluster_takes_several_endpoints(files: Files) -> None:
    text = with_store('endpoints: ["a:1", "[::1]:2", c], cluster: {}')

    assert store_of(files, text).redis == RedisSpec(
        endpoints=(("a", 1), ("::1", 2), ("c", 6379)), cluster=True
    )


def test_sentinel_names_the_master(files: Files) -> None:
    text = with_store("endpoints: [a, b], sentinel: {master_set: m, username: u, password: '${env:LONG}'}")

    assert store_of(files, text).redis == RedisSpec(
        endpoints=(("a", 26379), ("b", 26379)),
        sentinel=SentinelSpec(master_set="m", username="u", password=Secret(LONG)),
    )


def test_secrets_are_a_list_while_they_are_exchanged(files: Files) -> None:
    text = with_store("endpoints: a", "{secret: ['${env:LONG2}', '${env:LONG}'], key_prefix: team-a}")
    text = text.replace("    {secret", "    secret").replace(
        ", key_prefix: team-a}", "\n    key_prefix: team-a"
    )

    store = store_of(files, text)

    assert store.secrets == (Secret(LONG + "2"), Secret(LONG))
    assert store.key_prefix == "team-a"


def test_store_can_stand_in_a_source(files: Files) -> None:
    inline = "store: {redis: {endpoints: a}, secret: '${env:LONG}'}"
    text = f"version: 1\ntoken_sources: {{s: {{{SOURCE}, {inline}}}}}\nrules: []\n"

    store = store_of(files, text)

    assert store.name == "s"
    assert store == dataclasses.replace(store_of(files, with_store("endpoints: a")), name="other")


def test_included_source_uses_a_store_of_the_main_file(files: Files) -> None:
    files.write("t.yaml", f"version: 1\ntoken_sources: {{t: {{{SOURCE}, store: shared}}}}\n")

    config = files.load(with_store("endpoints: a") + "include: [t.yaml]\n")

    assert config.sources["t"].store == config.sources["s"].store


def test_store_of_an_inline_source_counts(files: Files) -> None:
    rule = f"  - {{name: r, match: {{host: a}}, token_source: {{{SOURCE}, store: shared}}}}\n"
    text = with_store("endpoints: a").replace("rules: []\n", f"rules:\n{rule}")

    assert files.load(text).sources["r"].store == files.load(text).sources["s"].store


def test_secrets_of_a_store_are_not_shown(files: Files) -> None:
    text = with_store(f"endpoints: a, password: {LONG}2", f"secret: {LONG}")

    assert LONG not in repr(files.load(text))
    instead = "stands in this file; use ${env:NAME}, ${file:PATH} or ${cmd:PROGRAM}"
    assert files.warnings(text)[1:3] == [
        f"4:27: stores.shared.redis.password: the secret {instead}",
        f"5:5: stores.shared.secret: the secret {instead}",
    ]


def test_database_of_a_cluster_is_ignored_with_a_warning(files: Files) -> None:
    text = with_store("endpoints: a, cluster: {}, database: 3")

    assert store_of(files, text).redis.database == 0
    assert files.warnings(text)[1] == (
        "4:40: stores.shared.redis.database: is ignored: a cluster has one database"
    )


def test_certificate_that_is_not_verified_draws_a_warning(files: Files) -> None:
    text = with_store("endpoints: a, tls: {insecure_skip_verify: true}")

    assert files.warnings(text)[1] == (
        "4:33: stores.shared.redis.tls.insecure_skip_verify: Redis's certificate is not verified"
    )


REDIS = """
endpoints: []
  4:13: stores.shared.redis.endpoints: is empty; expected at least one
username: u
  4:5: stores.shared.redis.endpoints: is required
endpoints: "redis://a:6379"
  4:13: stores.shared.redis.endpoints: expected HOST:PORT, like redis-1:6379
endpoints: [a, ":1"]
  4:28: stores.shared.redis.endpoints[1]: expected HOST:PORT, like redis-1:6379
endpoints: ["a:99999"]
  4:25: stores.shared.redis.endpoints[0]: expected HOST:PORT, like redis-1:6379
endpoints: [a, b]
  4:13: stores.shared.redis.endpoints: more than one needs cluster: {} or sentinel
endpoints: a, cluster: true
  4:27: stores.shared.redis.cluster: expected a mapping, found true
endpoints: a, cluster: null
  4:27: stores.shared.redis.cluster: expected a mapping, found null
endpoints: a, cluster: {nodes: 3}
  4:37: stores.shared.redis.cluster.nodes: unknown key…
endpoints: a, cluster: {}, sentinel: {master_set: m}
  4:40: stores.shared.redis.sentinel: there is cluster, too; expected one of them
endpoints: a, sentinel: {}
  4:27: stores.shared.redis.sentinel.master_set: is required
endpoints: a, sentinel: {master_set: m, username: u}
  4:53: stores.shared.redis.sentinel.username: needs a password beside it
endpoints: a, username: u
  4:27: stores.shared.redis.username: needs a password beside it
endpoints: a, database: -1
  4:27: stores.shared.redis.database: expected a number of 0 or more
endpoints: a, databse: 1
  4:27: stores.shared.redis.databse: unknown key, did you mean 'database'?
endpoints: a, tls: {cert: nowhere.pem}
  4:33: stores.shared.redis.tls.cert: neither PEM text nor the path of a PEM file…
"""


@pytest.mark.parametrize(("redis", "line"), pairs(REDIS))
def test_redis_is_refused(redis: str, line: str, files: Files) -> None:
    (problem,) = files.problems(with_store(redis))

    assert fits(problem, line)


STORE = """
key_prefix: p
  3:3: stores.shared.secret: is required
secret: '${env:SHORT}'
  5:5: stores.shared.secret: is too short; expected 16 characters or more
secret: ['${env:LONG}', '${env:SHORT}']
  5:29: stores.shared.secret[1]: is too short; expected 16 characters or more
secret: '${env:NOWHERE}'
  5:5: stores.shared.secret: the environment variable NOWHERE is not set
secret: []
  5:5: stores.shared.secret: is empty; expected at least one
"""


@pytest.mark.parametrize(("keys", "line"), pairs(STORE))
def test_store_is_refused(keys: str, line: str, files: Files) -> None:
    (problem,) = files.problems(with_store("endpoints: a", keys))

    assert fits(problem, line)


@pytest.mark.parametrize("prefix", ['""', '"a b"', '"{a}"', '"ä"', '"a\\n"'])
def test_key_prefix_is_refused(prefix: str, files: Files) -> None:
    keys = f"secret: '${{env:LONG}}'\n    key_prefix: {prefix}"

    assert files.problems(with_store("endpoints: a", keys)) == [
        "6:5: stores.shared.key_prefix: expected 1 to 100 printable ASCII characters, without blanks, { and }"
    ]


SOURCES = """
store: sharde
  6:111: token_sources.s.store: no store of this name; did you mean 'shared'?
store: elsewhere
  6:111: token_sources.s.store: no store of this name
store: 5
  6:111: token_sources.s.store: expected the name of a store, or a store written here in full, found a number
store: {secret: '${env:LONG}'}
  6:111: token_sources.s.store.redis: is required
store: shared, dpop: true
  6:111: token_sources.s.store: with dpop tokens are bound to a key of this process; expected no store
"""


@pytest.mark.parametrize(("keys", "line"), pairs(SOURCES))
def test_store_of_a_source_is_refused(keys: str, line: str, files: Files) -> None:
    (problem,) = files.problems(with_store("endpoints: a", source=keys))

    assert fits(problem, line)


def test_store_that_is_not_there_is_told_beside_other_problems(files: Files) -> None:
    source = f"{{{SOURCE}, store: sharde, dpop: 1}}"
    text = (
        f"version: 1\ntoken_sources:\n  s: {source}\n"
        f"rules:\n  - {{name: r, match: {{host: a.example}}, token_source: {source}}}\n"
    )

    assert [problem.partition(" ")[2] for problem in files.problems(text)] == [
        f"{place}.{said}"
        for place in ("token_sources.s", "rules[0].token_source")
        for said in ("store: no store of this name", "dpop: expected true or false, found a number")
    ]


def test_source_of_a_store_with_problems_adds_none(files: Files) -> None:
    assert files.problems(with_store("endpoints: []")) == [
        "4:13: stores.shared.redis.endpoints: is empty; expected at least one"
    ]


def test_name_of_a_store_is_checked(files: Files) -> None:
    text = "version: 1\nstores:\n  ' s': {redis: {endpoints: a}, secret: '${env:LONG}'}\nrules: []\n"

    assert files.problems(text) == [
        "3:3: stores.…: not a name: expected 1 to 100 printable characters, without blanks around them"
    ]


def test_stores_of_an_included_file_are_refused(files: Files) -> None:
    files.write("t.yaml", "version: 1\nstores: {}\n")

    (problem,) = files.problems("version: 1\ninclude: [t.yaml]\nrules: []\n")

    assert fits(problem, "t.yaml:2:1: stores: unknown key…")


def test_missing_library_is_told_with_how_to_install_it(files: Files) -> None:
    report = Report("c.yaml")
    place = Place(
        path=(), report=report, files=PemFiles(directory=files.folder, references=References(files.environ))
    )
    model = Store.model_validate({"redis": {"endpoints": ["a"]}, "secret": LONG})

    build_store("shared", model, place, library="a_library_that_nobody_has")

    (problem,) = report.problems
    assert "the library a_library_that_nobody_has is missing; install it with " in problem.message
    assert problem.message.endswith(" -m pip install a_library_that_nobody_has")
