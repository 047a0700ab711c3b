"""Settings as models: YAML files, `key=value` overrides, and one clear line for every mistake.

A setting is one field in `line`, `char`, `page` or `run`, with its type, its default and one line of description; the YAML file,
`-s key=value`, the commented template and the copy in the run folder follow from it.
"""

from jphtr.settings.char import (
    AugmentSettings,
    CharDataSettings,
    CharLossSettings,
    CharNetSettings,
    CharOptimSettings,
    CharRunSettings,
    TrainCharSettings,
)
from jphtr.settings.files import Section, assign, load, replace, to_yaml
from jphtr.settings.line import (
    ComposeSettings,
    LineDataSettings,
    LineLossSettings,
    LineNetSettings,
    TrainLineSettings,
)
from jphtr.settings.page import (
    PageComposeSettings,
    PageDataSettings,
    PageLossSettings,
    PageNetSettings,
    PageRunSettings,
    TrainPageSettings,
)
from jphtr.settings.run import OptimSettings, Precision, RunSettings, Share

__all__ = [
    "AugmentSettings", "CharDataSettings", "CharLossSettings", "CharNetSettings", "CharOptimSettings",
    "CharRunSettings", "ComposeSettings", "LineDataSettings", "LineLossSettings", "LineNetSettings", "OptimSettings",
    "PageComposeSettings", "PageDataSettings", "PageLossSettings", "PageNetSettings", "PageRunSettings", "Precision",
    "RunSettings", "Section", "Share", "TrainCharSettings", "TrainLineSettings", "TrainPageSettings", "assign",
    "load", "replace", "to_yaml",
]  # fmt: skip
