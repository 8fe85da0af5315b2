"""The texts about commands and the configuration's keys agree with the program."""

import json
import re
import subprocess
import tomllib

import pytest
from interop.programs import FOLDER, NODE, node_program

TAPLO = NODE / "node_modules/.bin/taplo"

# name -> (a text of conf/ringmaster.toml, the text in its place that makes the file wrong, the key
# that the error must name)
MUTANTS = {
    "wrong type of an array": ('rpc = ["127.0.0.1:7070"]', "rpc = 7070", "listen.rpc"),
    "no address": ('rpc = ["127.0.0.1:7070"]', 'rpc = ["nowhere"]', "listen.rpc[0]"),
    "empty array": ('rpc = ["127.0.0.1:7070"]', "rpc = []", "listen.rpc"),
    "no origin": ("origins = []", 'origins = ["https://a/b"]', "listen.origins[0]"),
    "no range": ("allow = []", 'allow = ["everybody"]', "listen.allow[0]"),
    "no mode": ('unix_mode = "0660"', 'unix_mode = "0888"', "listen.unix_mode"),
    "TLS for the status": ('status = "', 'status = "tls://', "listen.status"),
    "unknown key in listen": ("origins =", "origin =", "listen.origin"),
    "neither auto nor a number": ('count = "auto"', 'count = "all"', "workers.count"),
    "number below": ('count = "auto"', "count = 0", "workers.count"),
    "no sandbox": ('sandbox = "best-effort"', 'sandbox = "some"', "workers.sandbox"),
    "no flag": ("debug = false", 'debug = "no"', "workers.debug"),
    "unknown key in workers": ("max_jobs =", "jobs_max =", "workers.jobs_max"),
    "size below": ('request_bytes = "16MiB"', "request_bytes = 1023", "limits.request_bytes"),
    "size above": ('request_bytes = "16MiB"', "request_bytes = 2000000000",
                   "limits.request_bytes"),
    "bad unit": ('request_bytes = "16MiB"', 'request_bytes = "16MB"', "limits.request_bytes"),
    "float": ("batch_items = 1000", "batch_items = 1.5", "limits.batch_items"),
    "unit where none is": ("send_timeout_ms = 60000", 'send_timeout_ms = "60s"',
                           "limits.send_timeout_ms"),
    "unknown key in limits": ("batch_items =", "batch_item =", "limits.batch_item"),
    "unknown key in crashes": ("total_bytes =", "bytes =", "crashes.bytes"),
    "no access log": ('access = "off"', 'access = "some"', "log.access"),
    "unknown key in log": ("access =", "acces =", "log.acces"),
    "unknown key in shutdown": ("grace_ms =", "grace_s =", "shutdown.grace_s"),
    "unknown key in reload": ("rehearse = 0", "rehearsal = 0", "reload.rehearsal"),
    "unknown section": ("[shutdown]", "[stop]", "stop"),
    "no url": ('url = "http', '# url = "http', "upstreams.users"),
    "other scheme": ('url = "http', 'url = "ftp', "upstreams.users.url"),
    "no HTTP version": ('http = "auto"', "http = 2", "upstreams.users.http"),
    "other redirects": ('redirects = "none"', 'redirects = "all"', "upstreams.users.redirects"),
    "unknown key in an upstream": ("body_bytes =", "bytes =", "upstreams.users.bytes"),
    "batch above": ("batch = 64", "batch = 65", "handlers.interests.batch"),
    "no library": ('library = "interests"', 'library = ""', "handlers.interests.library"),
    "no path": ('model = "models/', 'model = 1 # "', "handlers.interests.model"),
    "number above": ("attempts = 2", "attempts = 11", 'methods."interests.predict".attempts'),
    "unknown key in a method": ("attempts =", "tries =", 'methods."interests.predict".tries'),
    "reserved name": ("[methods.echo]", '[methods."rpc.echo"]', 'methods."rpc.echo"'),
    "no steps": ('steps = [{ run = "echo" }]', "", "methods.echo"),
    "empty steps": ('steps = [{ run = "echo" }]', "steps = []", "methods.echo.steps"),
    "both in a step": ('{ run = "echo" }', '{ run = "echo", fetch = "users" }',
                       "methods.echo.steps[0]"),
    "a body to run": ('{ run = "echo" }', '{ run = "echo", body = {} }',
                      "methods.echo.steps[0].body"),
    "run in parallel": ('{ run = "echo" }', '{ parallel = [{ run = "echo" }] }, { run = "echo" }',
                        "methods.echo.steps[0].parallel[0]"),
    "parallel in parallel": ('{ run = "echo" }', '{ parallel = [{ parallel = [{ fetch = "users" }] '
                             '}] }, { run = "echo" }', "methods.echo.steps[0].parallel[0]"),
    "unknown key in a step": ('{ run = "echo" }', '{ runs = "echo" }',
                              "methods.echo.steps[0].runs"),
    "parameter without a name": ('"${params.user_id}"', '"$params."', "body.user_id"),
}


@pytest.fixture(scope="module")
def program(build):
    return build / "ringmaster"


@pytest.fixture(scope="module")
def schema(program):
    return json.loads(subprocess.check_output([program, "check", "--schema"]))


@pytest.fixture(scope="module")
def mutants(root, tmp_path_factory):
    """name -> the file of that mutant; "": the unchanged file."""
    clone = tmp_path_factory.mktemp("mutants")
    (clone / "src").symlink_to(root / "src")
    folder = clone / "conf"
    folder.mkdir()
    (folder / "models").symlink_to(root / "conf/models")
    text = (root / "conf/ringmaster.toml").read_text()
    files = {"": folder / "right.toml"}
    files[""].write_text(text)
    for name, (old, new, _) in MUTANTS.items():
        assert f"\n{old}" in text or old.startswith(("{", '"')) and old in text, old
        files[name] = folder / f"{name.replace(' ', '_')}.toml"
        files[name].write_text(text.replace(old, new))
    return files


@pytest.fixture(scope="module")
def accepted_by_ajv(schema, mutants):
    documents = {name: tomllib.loads(file.read_text()) for name, file in mutants.items()}
    done = subprocess.run(node_program(FOLDER / "node/ajv_validate.js"), capture_output=True,
                          input=json.dumps({"schema": schema, "documents": documents}), text=True,
                          timeout=60)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return {name for name, is_accepted in json.loads(done.stdout).items() if is_accepted}


@pytest.fixture(scope="module")
def accepted_by_taplo(schema, mutants):
    folder = mutants[""].parent
    (folder / "schema.json").write_text(json.dumps(schema))
    done = subprocess.run([TAPLO, "lint", "--colors", "never", "--no-auto-config", "--schema",
                           f"file://{folder}/schema.json", *mutants.values()],
                          capture_output=True, text=True, timeout=300)  # fmt: skip
    refused = set(re.findall(r'invalid file .*path="(.*)"', done.stderr))
    assert refused, done.stderr
    return {name for name, file in mutants.items() if str(file) not in refused}


def test_written_texts_are_those_of_the_program(root, build):
    done = subprocess.run(["/usr/bin/python3", "-B", "scripts/options.py", build, "--check"],
                          cwd=root, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_example_has_every_key_with_its_default(root, program, schema):
    example = tomllib.loads((root / "conf/ringmaster.toml").read_text())
    differs = set()
    for section, about in schema["properties"].items():
        is_named = "patternProperties" in about
        keys = about["patternProperties"]["^."]["properties"] if is_named else about["properties"]
        if section == "secrets":  # only in comments: the demo has no secrets
            assert section not in example
            continue
        table = next(iter(example[section].values())) if is_named else example[section]
        # The demo's handler is not Python: the two keys for Python stand there as comments.
        commented = {"python", "venv"} if section == "handlers" else set()
        assert table.keys() == keys.keys() - commented
        differs |= {f"{section}.{key}" for key, value in table.items()
                    if value != keys[key].get("default", value)}
    assert differs == {"workers.sandbox", "handlers.batch"}


@pytest.mark.parametrize("name", ["", *MUTANTS])
def test_check_and_the_schema_agree(name, program, mutants, accepted_by_ajv, accepted_by_taplo):
    done = subprocess.run([program, "check", "-c", mutants[name]], capture_output=True, text=True,
                          timeout=30)
    if name:
        assert done.returncode == 78
        assert f"{MUTANTS[name][2]}: " in done.stdout
    else:
        assert done.returncode == 0, done.stdout
    assert (name in accepted_by_ajv) == (not name)
    assert (name in accepted_by_taplo) == (not name)


def test_man_pages_are_clean(root):
    for page in sorted((root / "docs/man").iterdir()):
        shown = subprocess.run(["man", "--warnings=w", "-l", page], capture_output=True, text=True,
                               env={"MANWIDTH": "80", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})
        assert (shown.returncode, shown.stderr) == (0, "")
        assert "SEE ALSO" in shown.stdout
        named = subprocess.run(["lexgrog", page], capture_output=True, text=True)
        assert named.returncode == 0 and f'"{page.stem} - ' in named.stdout
