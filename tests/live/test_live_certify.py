"""Against the real account, by choice only: the questions of ``llcphone certify`` that cost no tokens."""

from __future__ import annotations

import os

import pytest

from llcphone import load_config
from llcphone.certify.plan import Plan, plan
from llcphone.certify.results import ANSWERED
from llcphone.certify.run import Run, started
from llcphone.certify.site import Site

pytestmark = pytest.mark.skipif(os.environ.get("LIVE") != "1", reason="LIVE=1 asks the real vendor")


async def test_the_account_answers_what_costs_nothing(tmp_path) -> None:
    free = Plan(tuple(each for each in plan(["model"]).questions if not each.bound.responses))
    site = Site(config=load_config())
    run = Run(plan=free, site=site, folder=tmp_path, report=started(free, site), tell=print)
    await run.ask_all()
    assert [each.id for each in run.report.results if each.status != ANSWERED] == []
