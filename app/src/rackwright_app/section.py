"""What every table of the configuration file is made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One table of the configuration file; a misspelt key is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)
