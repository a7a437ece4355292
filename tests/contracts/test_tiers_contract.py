"""What tiers name exists elsewhere: models and their quantisations, services, and the solver's options."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rackwright.sizing.disk import DISK_NEEDS
from rackwright.sizing.services import SIZERS
from rackwright.sizing.variables import OPTIONS
from rackwright.tiers.load import load_tiers

ROOT = Path(__file__).parents[2]


def variables(name: str) -> dict[str, Any]:
    loaded = yaml.safe_load((ROOT / f"group_vars/all/{name}.yml").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


TIERS = load_tiers(variables("tiers")["tiers"])
MODELS = variables("models")["models"]


@pytest.mark.parametrize("name", TIERS)
def test_every_model_of_a_tier_exists(name: str) -> None:
    inference = TIERS[name].inference
    named = [inference.model, inference.cpu_model, *inference.more_models, TIERS[name].embedding.model]
    assert [model for model in named if model not in MODELS] == []
    assert inference.quantisation in MODELS[inference.model]["builds"]
    # Where there is no GPU, llama.cpp serves it from a GGUF file.
    assert "q4_k_m" in MODELS[inference.cpu_model]["builds"]


@pytest.mark.parametrize("name", TIERS)
def test_a_request_fits_the_context_of_its_model(name: str) -> None:
    inference = TIERS[name].inference
    for model in (inference.model, inference.cpu_model, *inference.more_models):
        assert inference.context_tokens <= MODELS[model]["context"]


@pytest.mark.parametrize("name", TIERS)
def test_every_service_with_a_share_is_known(name: str) -> None:
    known = {*variables("services")["services"], *SIZERS, *DISK_NEEDS}
    assert sorted(set(TIERS[name].shares) - known) == []


def test_every_option_of_the_solver_that_a_role_has_is_that_roles() -> None:
    """An option that no role documents would be a variable that nobody finds."""
    specs = {
        path.parts[-3]: yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
        for path in ROOT.glob("roles/*/meta/argument_specs.yml")
    }
    roles = {name for name in specs if name in SIZERS}
    strange = [
        option
        for option in OPTIONS
        for role in roles
        if option.startswith(f"{role}_") and option not in specs[role]
    ]
    assert strange == []
