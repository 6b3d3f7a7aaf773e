"""What jobs can name: models and presets."""

from __future__ import annotations

from starlette.responses import Response

from pitchey_cli.api import models
from pitchey_cli.api.answers import json_answer
from pitchey_cli.api.call import Call
from pitchey_cli.operations.models import listing
from pitchey_cli.reports import models as report
from pitchey_cli.reports import presets
from processors.specs.presets import PRESETS


async def list_models(call: Call, asked: models.ModelsQuery) -> Response:
    """List all models, the server's own and the image's, and which version a job means that says none."""
    shelf = call.desk.wiring.models()
    found = await call.desk.shelf.run(lambda: [report.row_of(each) for each in listing.listed(shelf)])
    said = [report.document(each) for each in found if asked.name in (None, each.name)]
    return json_answer({"models": said})


async def get_model(call: Call) -> Response:
    """Show a model by NAME or NAME@VERSION: its task, what goes in and out, its labels, its files."""
    shelf, name = call.desk.wiring.models(), call.part("model")
    found = await call.desk.shelf.run(lambda: listing.found(shelf, name))
    return json_answer(report.whole_document(report.row_of(found)))


async def list_presets(call: Call) -> Response:
    """List the presets of media jobs: those that ship, and the server's own."""
    wiring = call.desk.wiring
    return json_answer({"presets": presets.as_json(PRESETS, wiring.policies.presets("The settings"))})
