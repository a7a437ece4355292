"""Refuses a workflow that cannot run, before any of it does."""

from __future__ import annotations

from jinja2 import TemplateError, nodes

from rackwright_app.workflow.model import BranchStep, Step, Workflow
from rackwright_app.workflow.sandbox import environment

# `loop` is there within a loop.
_KNOWN = {"inputs", "steps", "loop"}


def problems(workflow: Workflow) -> list[str]:
    """Returns what is wrong with a workflow, every finding with its step; empty when it can run."""
    found: list[str] = []
    places: dict[str, int] = {}
    for place, step in enumerate(workflow.steps):
        if step.id in places:
            found.append(f"{step.id}: two steps carry this id")
        places.setdefault(step.id, place)
    for place, step in enumerate(workflow.steps):
        for target in _targets(step):
            if target not in places:
                found.append(f"{step.id}: there is no step {target}")
            elif places[target] <= place:
                found.append(f"{step.id}: {target} is not a later step; workflows only go forward")
        earlier = {other.id for other in workflow.steps[:place]}
        for template in step.templates():
            found += [f"{step.id}: {problem}" for problem in _template_problems(template, earlier)]
    return found


def _targets(step: Step) -> list[str]:
    targets = [step.next]
    if isinstance(step, BranchStep):
        targets += [step.then, step.otherwise]
    return [target for target in targets if target is not None]


def _template_problems(template: str, earlier: set[str]) -> list[str]:
    try:
        return _examined(template, earlier)
    # A number of thousands of digits is a ValueError; a sum of thousands of terms is nested as deep as that.
    except (TemplateError, ValueError, RecursionError) as error:
        return [f"the template is wrong: {error}"[:200]]


def _examined(template: str, earlier: set[str]) -> list[str]:
    made = environment()
    # Parsed, never compiled: that computes what is constant, `10 ** 10 ** 10` too, in this very process.
    tree = made.parse(template)
    found = [
        f"{name} is not known; there are inputs and steps"
        for name in sorted(_wanted(tree) - _KNOWN - set(made.globals))
    ]
    for node in tree.find_all(nodes.Getattr):
        base = node.node
        if isinstance(base, nodes.Name) and base.name == "steps" and node.attr not in earlier:
            found.append(f"steps.{node.attr} is no earlier step")
    for kind, node_type, known in (("filter", nodes.Filter, made.filters), ("test", nodes.Test, made.tests)):
        found += [
            f"there is no {kind} {node.name}" for node in tree.find_all(node_type) if node.name not in known
        ]
    if any(tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends))):
        found.append("a template stands alone: it includes and imports nothing")
    unsafe = sorted({node.attr for node in tree.find_all(nodes.Getattr) if node.attr.startswith("_")})
    return found + [f"{name} cannot be reached from a template" for name in unsafe]


def _wanted(tree: nodes.Template) -> set[str]:
    """The names that a template reads and does not set; Jinja's own search for them would compile it."""
    names = list(tree.find_all(nodes.Name))
    return {name.name for name in names if name.ctx == "load"} - {
        name.name for name in names if name.ctx != "load"
    }
