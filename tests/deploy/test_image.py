"""The image of deploy/Dockerfile: small, not root, and a server that can be asked, and stopped."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess

import psutil
import pytest

from llcphone.sim.ports import free_port
from tests.deploy.image import build_image
from tests.deploy.programs import program
from tests.patience import HANG_S

pytestmark = [pytest.mark.deploy, pytest.mark.slow]

MOST_BYTES = 200_000_000
# Its own process table, in which the server is number 1, and the files of the image.
_INSIDE = (
    'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot --userspec=10001 "$0" "$@"'
)


def test_it_is_small_and_the_server_is_its_first_process(tmp_path) -> None:
    if os.geteuid():
        pytest.skip("a root directory of another system needs root")
    for name in ("buildah", "debootstrap", "uv"):
        program(name)
    image = build_image(tmp_path)
    assert image.size < MOST_BYTES
    assert image.config["User"] == "10001"
    assert (image.folder / "data").stat().st_uid == 10001
    assert not (image.folder / "src").exists(), "the source stays in the stage that builds"
    port = free_port()
    environ = dict(each.split("=", 1) for each in image.config["Env"]) | {
        "PORT": str(port),
        "LLCPHONE_DRAIN__LIMIT_S": "0",
        "LLCPHONE_AGENT__INSTRUCTIONS": "You answer the telephone.",
        "OPENAI_API_KEY": "sk-image-0123456789",
        "TWILIO_AUTH_TOKEN": "0123456789abcdef0123456789abcdef",
        "PUBLIC_URL": "https://phone.example.com",
        "LLCPHONE_REALTIME__URL": "ws://127.0.0.1:9/v1/realtime",
    }
    command = [*image.config["Entrypoint"], *image.config["Cmd"]]
    inside = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "sh", "-c"]
    log = tmp_path / "log"
    entry = ["/usr/bin/env", "-C", image.config["WorkingDir"], *command]
    with log.open("wb") as out:
        serving = subprocess.Popen(
            [*inside, _INSIDE, str(image.folder), *entry],
            env=environ,
            stdout=out,
            stderr=out,
        )
    try:
        kind, *check = image.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        healthy = ["chroot", "--userspec=10001", str(image.folder), *check]
        for _ in range(round(HANG_S)):
            assert serving.poll() is None, log.read_text()
            if not subprocess.run(healthy, env=environ, check=False, stderr=subprocess.DEVNULL).returncode:
                break
            with pytest.raises(subprocess.TimeoutExpired):
                serving.wait(1)
        else:
            pytest.fail(f"it is never healthy: {log.read_text()}")
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
        asked.request("GET", "/healthz")
        assert asked.getresponse().status == 200
        asked.close()
        (first,) = psutil.Process(serving.pid).children()
        first.send_signal(signal.SIGTERM)
        assert serving.wait(HANG_S) == 0, log.read_text()
    finally:
        serving.kill()
        serving.wait()
