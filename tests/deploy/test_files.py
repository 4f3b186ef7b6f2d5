"""deploy/ says what the settings say, and names nothing that is not there."""

from __future__ import annotations

import re
import subprocess
import tomllib
from typing import Any

import pytest
import yaml
from trustme import CA

from llcphone.config import SETTINGS, Config
from llcphone.process.haproxy import haproxy_config, nodes_of
from llcphone.settings import USUAL_NAMES
from tests.deploy.programs import ROOT
from tests.nodes.cluster import haproxy
from tests.patience import HANG_S

DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
CONFIG = Config()
PORT = CONFIG.server.port
BIND = ":8443 ssl crt /etc/haproxy/llcphone.pem alpn http/1.1"
DRAIN_S = CONFIG.drain.limit_s
SECRETS = {"GRAFANA_PASSWORD", "POSTGRES_PASSWORD"}
"""Of other programs."""


def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


def resources() -> dict[tuple[str, str], Any]:
    """What the kustomization takes, by kind and name."""
    listed = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text("utf-8"))
    found = [
        each for name in listed["resources"] for each in yaml.safe_load_all((KUBERNETES / name).read_text())
    ]
    named = {(each["kind"], each["metadata"]["name"]): each for each in found}
    assert len(named) == len(found)
    return named | {("ConfigMap", each["name"]): each for each in listed["configMapGenerator"]}


def container(kind: str, name: str) -> tuple[Any, Any]:
    pod = resources()[kind, name]["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    return pod, only


def check_settings(variables: dict[str, str]) -> None:
    """Each is a setting, and has a value that it may have."""
    for name, value in variables.items():
        section, _, key = name.removeprefix("LLCPHONE_").lower().partition("__")
        key = USUAL_NAMES.get(name, f"{section}.{key}")
        assert key in SETTINGS, f"{name} is no setting"
        if value and not SETTINGS[key].secret and "$" not in value:
            SETTINGS[key].check(SETTINGS[key].read_text(value))


def variables_of(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_every_variable_is_a_setting() -> None:
    example = variables_of((DEPLOY / "env.example").read_text("utf-8"))
    check_settings({name: value for name, value in example.items() if name not in SECRETS})
    for name in ("n1", "n2"):
        check_settings(compose()["services"][name]["environment"])
    check_settings(variables_of((KUBERNETES / "settings.env").read_text("utf-8")))
    _, node = container("StatefulSet", "llcphone")
    check_settings({each["name"]: each["value"] for each in node["env"] if "value" in each})
    (render,) = yaml.safe_load((DEPLOY / "render.yaml").read_text("utf-8"))["services"]
    check_settings({each["key"]: each.get("value", "") for each in render["envVars"]})
    check_settings(tomllib.loads((DEPLOY / "fly.toml").read_text("utf-8"))["env"])
    docker = (DEPLOY / "Dockerfile").read_text("utf-8")
    check_settings(dict(re.findall(r"^ +(LLCPHONE_\w+|PORT)=(\S+)", docker, re.M)))


def test_the_ports_are_those_of_the_settings() -> None:
    docker = (DEPLOY / "Dockerfile").read_text("utf-8")
    assert f"EXPOSE {PORT}\n" in docker
    assert f"PORT={PORT}\n" in docker
    assert tomllib.loads((DEPLOY / "fly.toml").read_text("utf-8"))["http_service"]["internal_port"] == PORT
    _, node = container("StatefulSet", "llcphone")
    metrics = int(variables_of((KUBERNETES / "settings.env").read_text("utf-8"))["LLCPHONE_METRICS__PORT"])
    assert {each["name"]: each["containerPort"] for each in node["ports"]} == {
        "http": PORT,
        "metrics": metrics,
    }
    for (kind, name), each in resources().items():
        if kind == "Service" and name.startswith("llcphone"):
            assert each["spec"]["ports"][0]["port"] == PORT
    nodes = {name: each for name, each in compose()["services"].items() if re.fullmatch(r"n\d", name)}
    (scraped,) = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    wanted = [f"{name}:{each['environment']['LLCPHONE_METRICS__PORT']}" for name, each in nodes.items()]
    assert scraped["static_configs"] == [{"targets": wanted}]


def test_the_proxy_is_set_as_the_program_writes_it() -> None:
    services = compose()["services"]
    for name in ("n1", "n2"):
        assert services[name]["environment"]["LLCPHONE_SERVER__NODE"] == name
    addresses = [
        f"{name}={services[name]['networks']['default']['ipv4_address']}:{PORT}" for name in ("n1", "n2")
    ]
    assert (DEPLOY / "haproxy.cfg").read_text("utf-8") == haproxy_config(CONFIG, nodes_of(addresses), BIND)
    pods = resources()["StatefulSet", "llcphone"]["spec"]["replicas"]
    inside = [f"n{index}=llcphone-{index}:{PORT}" for index in range(pods)]
    assert (KUBERNETES / "haproxy.cfg").read_text("utf-8") == haproxy_config(CONFIG, nodes_of(inside), BIND)
    for index in range(pods):
        assert ("Service", f"llcphone-{index}") in resources()


def test_live_calls_get_the_time_they_are_promised() -> None:
    longest = round(CONFIG.call.max_duration_s) + 60
    node, _ = container("StatefulSet", "llcphone")
    proxy, _ = container("Deployment", "haproxy")
    assert node["terminationGracePeriodSeconds"] == DRAIN_S + 30
    assert proxy["terminationGracePeriodSeconds"] >= longest
    services = compose()["services"]
    assert seconds(services["n1"]["stop_grace_period"]) == DRAIN_S + 30
    assert seconds(services["haproxy"]["stop_grace_period"]) >= longest
    (render,) = yaml.safe_load((DEPLOY / "render.yaml").read_text("utf-8"))["services"]
    of_render = {each["key"]: each.get("value") for each in render["envVars"]}
    assert render["maxShutdownDelaySeconds"] == int(of_render["LLCPHONE_DRAIN__LIMIT_S"]) + 30
    fly = tomllib.loads((DEPLOY / "fly.toml").read_text("utf-8"))
    assert fly["kill_timeout"] == int(fly["env"]["LLCPHONE_DRAIN__LIMIT_S"]) + 30


def seconds(text: str) -> int:
    found = re.fullmatch(r"(\d+)m(?:(\d+)s)?", text)
    assert found is not None
    return int(found[1]) * 60 + int(found[2] or 0)


def test_what_kubernetes_is_told_holds_together() -> None:
    found = resources()
    state = found["StatefulSet", "llcphone"]["spec"]
    pod, node = container("StatefulSet", "llcphone")
    assert state["podManagementPolicy"] == "Parallel"
    assert pod["enableServiceLinks"] is False, "the variables of the Services would be taken for settings"
    assert node["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]
    for name in ("llcphone", "llcphone-0", "llcphone-1"):
        assert found["Service", name]["spec"]["publishNotReadyAddresses"] is True
    assert found["Service", state["serviceName"]]["spec"]["clusterIP"] == "None"
    uid = int(re.findall(r"--uid (\d+)", (DEPLOY / "Dockerfile").read_text("utf-8"))[0])
    assert pod["securityContext"]["runAsUser"] == uid
    assert [each.get("configMapRef", each.get("secretRef"))["name"] for each in node["envFrom"]] == [
        "llcphone"
    ] * 2
    proxy, _ = container("Deployment", "haproxy")
    taken = {each["configMap"]["name"] for each in proxy["volumes"] if "configMap" in each}
    assert all(("ConfigMap", name) in found for name in [*taken, "llcphone"])
    for name, kind in (("llcphone", "StatefulSet"), ("haproxy", "Deployment")):
        labels = found[kind, name]["spec"]["template"]["metadata"]["labels"]
        assert found["PodDisruptionBudget", name]["spec"]["selector"]["matchLabels"] == labels


def test_what_compose_names_is_there() -> None:
    said = compose()
    files = [each["file"] for each in said["configs"].values() if "file" in each]
    assert all((DEPLOY / name).is_file() for name in files)
    for name, service in said["services"].items():
        used = {each["source"] for each in [*service.get("configs", ()), *service.get("secrets", ())]}
        assert used <= {*said["configs"], *said["secrets"]}, name
        mounted = {each.split(":")[0] for each in service.get("volumes", ())}
        assert mounted <= set(said["volumes"]), name


def test_secrets_are_not_in_the_image_and_not_in_the_files() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert ignored[1] == "*", "only what is named goes into the image"
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.M)
    named = {word for line in copied for word in line.split()}
    assert named == {line.removeprefix("!") for line in ignored if line.startswith("!")}
    written = variables_of((DEPLOY / "env.example").read_text("utf-8"))
    assert not [name for name, value in written.items() if re.search("KEY|TOKEN|PASSWORD", name) and value]


@pytest.mark.parametrize("folder", [DEPLOY, KUBERNETES], ids=lambda folder: folder.name)
def test_haproxy_itself_finds_no_fault(folder, tmp_path) -> None:
    pem = tmp_path / "llcphone.pem"
    certificate = CA().issue_cert("phone.example.com")
    # As Kubernetes gives it: the key in a file of its own beside the certificate.
    pem.write_bytes(b"".join(each.bytes() for each in certificate.cert_chain_pems))
    pem.with_name("llcphone.pem.key").write_bytes(certificate.private_key_pem.bytes())
    text = (folder / "haproxy.cfg").read_text("utf-8").replace("/etc/haproxy/llcphone.pem", str(pem))
    file = tmp_path / "haproxy.cfg"
    # Names of pods exist in their cluster only.
    file.write_text(re.sub(r"llcphone-\d:", "127.0.0.1:", text))
    log = KUBERNETES / "log.cfg"
    command = [haproxy(), "-c", "-f", str(log), "-f", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False)
    assert done.returncode == 0, done.stderr
