"""The planner agrees with what others publish, and the documents show how well."""

import pytest

from rackwright.models.model import Models
from rackwright.models.published import AIM, compare, table
from rackwright.site.paths import repository_root

PATH = repository_root() / "tests" / "data" / "models" / "published.yml"


def test_each_figure_is_within_the_aim_or_says_why_not(models: Models) -> None:
    missed = {
        f"{each.figure.model} {each.figure.quantisation}: {each.deviation:+.1%}"
        for each in compare(models, PATH)
        if abs(each.deviation) > AIM and not each.figure.why
    }
    assert missed == set()


def test_a_reason_is_only_given_where_the_aim_is_missed(models: Models) -> None:
    assert [
        each.figure.model for each in compare(models, PATH) if each.figure.why and abs(each.deviation) <= AIM
    ] == []


def test_files_of_known_quantisations_agree_to_a_percent(models: Models) -> None:
    """GGUF files whose size is published to three digits: the types of the tensors are right."""
    close = [each for each in compare(models, PATH) if each.publication.unit == "GiB"]
    assert len(close) > 10
    for each in close:
        assert each.deviation == pytest.approx(0, abs=0.01), each.figure


def test_every_kind_of_publication_is_compared(models: Models) -> None:
    kinds = {each.publication.what for each in compare(models, PATH)}
    assert kinds == {"weights", "cache", "served", "benchmark", "tokens"}


def test_the_documents_have_the_table(models: Models) -> None:
    text = (repository_root() / "docs" / "models.md").read_text(encoding="utf-8")
    assert table(compare(models, PATH)) in text, "run `rackwright docs`"
