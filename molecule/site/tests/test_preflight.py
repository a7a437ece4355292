"""Preflight looks at fifty hosts in one parallel pass: the scenario's machines, under many names."""

from collections import Counter
from pathlib import Path

from machines import SOURCES

from rackwright.bench.preflight import HOSTS, fifty_hosts
from rackwright.operations.runner import run_playbook
from rackwright.preflight.run import ACTION, PLAYBOOK, SKIPPED_TAGS, answers_of, forks
from rackwright.site.inventory import load_inventory


def test_fifty_hosts_in_one_parallel_pass(tmp_path: Path) -> None:
    sources = [*SOURCES, fifty_hosts(tmp_path, SOURCES)]
    arguments = ["--forks", str(forks(HOSTS)), "--skip-tags", SKIPPED_TAGS]
    run = run_playbook(PLAYBOOK, sources, arguments=arguments)
    # One call for each host, and nothing else.
    assert Counter(result.action.rpartition(".")[2] for result in run.recap.results) == {ACTION: HOSTS}
    answers = answers_of(run, load_inventory(sources).members("platform"))
    assert len(answers) == HOSTS
    mute = {answer.host: answer.problem for answer in answers if answer.observations is None}
    assert mute == {}
    # One after the other they would take the sum; fifty processes on two cores still wait for one another.
    assert sum(result.seconds for result in run.recap.results) > 5 * run.seconds
