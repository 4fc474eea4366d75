"""One cell of a case changed in memory, checked as if it had been read."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from planner.errors import Fault, InputError

ModelT = TypeVar("ModelT", bound=BaseModel)


def changed(row: ModelT, field: str, value: object, file: str) -> ModelT:
    """A record (or the settings) with one field changed.

    Raises InputError, naming the file and the column, when the field cannot have that value.
    """
    column = type(row).model_fields[field].alias or field
    try:
        return type(row).model_validate({**row.model_dump(by_alias=True), column: value})
    except ValidationError as error:
        faults = [Fault(file, f"{value}: {e['msg']}", None, column) for e in error.errors()]
        raise InputError(faults) from error
