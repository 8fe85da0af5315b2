"""conf/kubernetes: the objects that kustomize makes fit the published schemas, and agree with each
other and with the server."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import probes
import pytest
import yaml
from interop.programs import FOLDER, node_program

KUBERNETES = Path("conf/kubernetes")
VARIANTS = ("base", "overlays/small", "overlays/autoscaled")
LAST_RESPONSES_S, END_OF_WORKERS_S = 1, 5  # parts of a stop: docs/architecture.md, "Timeouts"
PROGRAMS = 64 << 20  # an ample estimate of the processes themselves, with the handler echo


@pytest.fixture(params=VARIANTS)
def rendered(request, root):
    """The objects of one variant."""
    probes.require("kustomize")
    done = subprocess.run(["kubectl", "kustomize", root / KUBERNETES / request.param],
                          capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module")
def written(root):
    """(kind, name) -> the object of a file. The patches of overlays are left out."""
    files = [file for file in sorted((root / KUBERNETES).rglob("*.yaml"))
             if file.name not in ("kustomization.yaml", "prometheus-adapter.yaml")
             and "small" not in file.parts]
    objects = [one for file in files for one in yaml.safe_load_all(file.read_text())]
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


@pytest.fixture
def deployment(written):
    return written["Deployment", "ringmaster"]["spec"]


@pytest.fixture
def container(deployment):
    (only,) = deployment["template"]["spec"]["containers"]
    return only


@pytest.fixture
def server_configuration(root):
    return tomllib.loads((root / KUBERNETES / "base/ringmaster.toml").read_text())


def test_each_object_fits_its_published_schema(rendered):
    done = subprocess.run(node_program(FOLDER / "node/kubernetes_models.js"),
                          input=json.dumps(rendered), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    named = [f"{one['kind']} {one['metadata']['name']}" for one in rendered]
    assert dict(zip(named, json.loads(done.stdout), strict=True)) == dict.fromkeys(named, "")


def test_each_variant_has_what_it_says(rendered, request):
    kinds = {one["kind"] for one in rendered}
    (made,) = [one["spec"] for one in rendered if one["kind"] == "Deployment"]
    (volume,) = made["template"]["spec"]["volumes"]
    (map_,) = [one for one in rendered if one["kind"] == "ConfigMap"]
    assert volume["configMap"]["name"] == map_["metadata"]["name"]  # with the hash
    is_autoscaled = "autoscaled" in request.node.name
    assert ({"HorizontalPodAutoscaler", "ServiceMonitor"} <= kinds) == is_autoscaled
    assert ("replicas" in made) == (not is_autoscaled)


def test_each_file_is_part_of_a_kustomization(root):
    for folder in (root / KUBERNETES / variant for variant in VARIANTS):
        text = (folder / "kustomization.yaml").read_text()
        for file in folder.iterdir():
            assert file.name in text or file.name == "kustomization.yaml", file


def test_selectors_select_the_pods(written, deployment):
    labels = deployment["template"]["metadata"]["labels"]
    selectors = {
        "Deployment": deployment["selector"]["matchLabels"],
        "PodDisruptionBudget":
            written["PodDisruptionBudget", "ringmaster"]["spec"]["selector"]["matchLabels"],
        "NetworkPolicy":
            written["NetworkPolicy", "ringmaster"]["spec"]["podSelector"]["matchLabels"],
        **{name: written["Service", name]["spec"]["selector"]
           for name in ("ringmaster", "ringmaster-status")},
    }
    assert selectors == dict.fromkeys(selectors, labels)
    monitor = written["ServiceMonitor", "ringmaster"]["spec"]
    service = written["Service", "ringmaster-status"]
    assert monitor["selector"]["matchLabels"] == service["metadata"]["labels"]
    assert service["metadata"]["labels"][monitor["jobLabel"]] == "ringmaster"  # as in alerts.yml
    target = written["HorizontalPodAutoscaler", "ringmaster"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) in written


def test_ports_are_those_of_the_server(written, container, server_configuration):
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    listen = server_configuration["listen"]
    assert [f"0.0.0.0:{ports['rpc']}"] == listen["rpc"]
    assert f"0.0.0.0:{ports['status']}" == listen["status"]
    named = [port["targetPort"] for name in ("ringmaster", "ringmaster-status")
             for port in written["Service", name]["spec"]["ports"]]
    named += [port["port"] for rule in written["NetworkPolicy", "ringmaster"]["spec"]["ingress"]
              for port in rule["ports"]]
    named += [end["port"] for end in written["ServiceMonitor", "ringmaster"]["spec"]["endpoints"]]
    named += [probe["httpGet"]["port"] for key, probe in container.items() if "Probe" in key]
    assert set(named) <= set(ports)


def test_server_accepts_its_configuration(root, build):
    done = subprocess.run([build / "ringmaster", "check", "-c",
                           root / KUBERNETES / "base/ringmaster.toml", "--dump"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pod_has_the_time_to_drain(deployment, container, server_configuration):
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = server_configuration["shutdown"]["grace_ms"] / 1000
    needed = before + drain + LAST_RESPONSES_S + END_OF_WORKERS_S
    assert deployment["template"]["spec"]["terminationGracePeriodSeconds"] > needed


def bytes_of(text):
    number, unit = re.fullmatch(r"(\d+)([KMG]i)B?", text).groups()
    return int(number) << {"Ki": 10, "Mi": 20, "Gi": 30}[unit]


@pytest.mark.parametrize("file", ["base/deployment.yaml", "overlays/small/resources.yaml"])
def test_pod_has_the_memory_for_all_limits(root, build, file):
    """The sum of docs/architecture.md, "Bounds", for the configuration of the pods."""
    deployment = yaml.safe_load((root / KUBERNETES / file).read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    allowed = container["resources"]["limits"]
    workers = int(allowed["cpu"])  # workers.count is "auto"
    dump = subprocess.run([build / "ringmaster", "check", "-c",
                           root / KUBERNETES / "base/ringmaster.toml", "--dump"],
                          capture_output=True, text=True).stdout
    limits = tomllib.loads(dump)["limits"]
    size = {key: bytes_of(limits[key]) for key in limits if key.endswith("_bytes")}
    master = (limits["requests_in_flight"] * (16 << 10) + limits["connections"] * (25 << 10)
              + size["connection_memory_bytes"] + workers * 2 * size["response_bytes"]
              + size["request_bytes"])
    shared = (size["payload_memory_bytes"]
              + workers * (2 * size["response_bytes"] + (64 << 10)))
    assert bytes_of(allowed["memory"]) > master + shared + PROGRAMS


def test_pod_is_confined(deployment, container):
    pod, own = deployment["template"]["spec"]["securityContext"], container["securityContext"]
    assert pod["runAsNonRoot"] and pod["runAsUser"] > 0
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["readOnlyRootFilesystem"] and not own["allowPrivilegeEscalation"]
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert not deployment["template"]["spec"]["automountServiceAccountToken"]


def test_autoscaler_asks_for_a_metric_of_the_server(root, written, container):
    """The adapter derives it from a metric of docs/metrics.md, which test_metrics.py checks."""
    adapter = yaml.safe_load((root / KUBERNETES / "prometheus-adapter.yaml").read_text())
    (rule,) = adapter["rules"]["custom"]
    (metric,) = written["HorizontalPodAutoscaler", "ringmaster"]["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    source = re.match(r"\w+", rule["seriesQuery"])[0]
    assert f"| `{source}` | counter |" in (root / "docs/metrics.md").read_text()
    workers = int(container["resources"]["limits"]["cpu"])  # workers.count is "auto"
    wanted = metric["pods"]["target"]["averageValue"]
    assert wanted.endswith("m") and 0.5 * workers < int(wanted[:-1]) / 1000 < 0.9 * workers
