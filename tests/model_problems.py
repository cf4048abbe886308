"""What an answer breaks of a botocore model."""

from __future__ import annotations

from botocore.model import ListShape, MapShape, StringShape, StructureShape

_TYPES = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "double": (int, float),
    "float": (int, float),
    "timestamp": (int, float),
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
}


def problems(shape, value, path=""):
    """List what an answer breaks of its model: types, required members, enums, members that are unknown."""
    wanted = _TYPES[shape.type_name]
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        yield f"{path}: {value!r} is no {shape.type_name}"
    elif isinstance(shape, StructureShape):
        yield from (f"{path}.{name} is missing" for name in shape.required_members if name not in value)
        for name, item in value.items():
            if name not in shape.members:
                yield f"{path}.{name} is unknown"
            else:
                yield from problems(shape.members[name], item, f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value):
            yield from problems(shape.member, item, f"{path}[{number}]")
    elif isinstance(shape, MapShape):
        for name, item in value.items():
            yield from problems(shape.value, item, f"{path}[{name}]")
    elif isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"{path}: {value!r} is none of {shape.enum}"
