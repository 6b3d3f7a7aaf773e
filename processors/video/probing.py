"""What a file is, as JSON."""

from __future__ import annotations

import json
from typing import Any

from processors.ffmpeg import chapters
from processors.ffmpeg.report import document
from processors.ffmpeg.tasks import Made, Report, Source, Task
from processors.specs import VideoSpec
from processors.worker.context import Context

_NAME = "probe.json"


def tasks(context: Context[VideoSpec], source: Source) -> list[Task]:
    """All that is known of the file: in `probe.json`, and in the details of the result as `probe`."""

    def run(report: Report) -> Made:
        found: dict[str, Any] = document(source.probe)
        found["chapters"] = chapters.document(chapters.chapters(context, source.path))
        text = json.dumps(found, ensure_ascii=False, indent=2)
        (context.out / _NAME).write_text(text + "\n", encoding="utf-8", errors="replace")
        output = context.output(_NAME, media_type="application/json", role="probe")
        return Made([output], {"probe": found})

    return [Task("probe", 1.0, run)]
