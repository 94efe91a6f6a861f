"""Requests in which an unknown field is an error: of a misspelt filter that was passed over, too much would be found."""

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

_MOST_FIELDS = 50


class StrictModel(BaseModel):
    """A model that takes its own fields alone. Very many are refused at once: pydantic would list each of them."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _has_few_fields(cls, given: object) -> object:
        if isinstance(given, dict) and len(given) > _MOST_FIELDS:
            raise PydanticCustomError("too_many_fields", "There are too many fields. What there is: /openapi.json")
        return given
