"""The specs: what a job asks of each service. JSON on the wire is camelCase; snake_case is accepted as well."""

from __future__ import annotations

from processors.specs.base import Spec as Spec
from processors.specs.bitrate import bits_per_second as bits_per_second
from processors.specs.code import CodeSpec as CodeSpec
from processors.specs.document import DocumentSpec as DocumentSpec
from processors.specs.inference import InferenceSpec as InferenceSpec
from processors.specs.media import MediaSpec as MediaSpec
from processors.specs.video import Ladder as Ladder
from processors.specs.video import Quality as Quality
from processors.specs.video import VideoCodec as VideoCodec
from processors.specs.video import VideoSpec as VideoSpec
from processors.vocabulary import Service

SPECS: dict[Service, type[Spec]] = {
    Service.VIDEO: VideoSpec,
    Service.DOCUMENT: DocumentSpec,
    Service.INFERENCE: InferenceSpec,
    Service.MEDIA: MediaSpec,
    Service.CODE: CodeSpec,
}
