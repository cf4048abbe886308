"""Pickles of what Python does not pickle, and moto's services nevertheless hold."""

from __future__ import annotations

import functools
import importlib
import threading
import weakref
from collections import defaultdict
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCKS: dict[type, Any] = {type(make()): make for make in (threading.Lock, threading.RLock)}


def reduced(obj: Any) -> Any:
    """Reduce an object, as ``reducer_override`` of :mod:`pickle`; else NotImplemented.

    >>> reduced(threading.Lock())[1]
    ()
    """
    kind = type(obj)
    if kind in _LOCKS:
        return _LOCKS[kind], ()
    if kind is weakref.WeakValueDictionary:
        return weakref.WeakValueDictionary, (dict(obj),)
    if issubclass(kind, defaultdict) and kind is not defaultdict:
        # Its own way calls the class with the factory alone, which a subclass may not expect.
        return default_dict, (kind, obj.default_factory), vars(obj), None, iter(list(dict.items(obj)))
    if kind is FunctionType:
        return _reduced_function(obj)
    if kind.__module__.startswith("cryptography."):
        return _reduced_key(obj)
    return NotImplemented


def default_dict(kind: type[defaultdict[Any, Any]], factory: Any) -> defaultdict[Any, Any]:
    """Make an empty ``defaultdict`` of some class."""
    made = kind.__new__(kind)
    defaultdict.__init__(made, factory)
    return made


def _reduced_key(key: Any) -> Any:
    if hasattr(key, "private_bytes"):
        text = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return private_key, (text,)
    if hasattr(key, "public_bytes") and hasattr(key, "verify"):
        return public_key, (key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),)
    return NotImplemented


def private_key(text: bytes) -> Any:
    """Read a private key; the library's own function can't be named in a pickle."""
    return load_der_private_key(text, None)


def public_key(text: bytes) -> Any:
    """Read a public key."""
    return load_der_public_key(text)


def _reduced_function(function: FunctionType) -> Any:
    """Reduce a function that was made within another one, e.g. the factory of a ``defaultdict``."""
    outer, inside, name = function.__qualname__.rpartition(".<locals>.")
    if not inside or function.__code__.co_freevars or "<locals>" in outer:
        return NotImplemented
    place = list(_inner_code(function.__module__, outer, name)).index(function.__code__)
    return inner_function, (function.__module__, outer, name, place)


def inner_function(module: str, outer: str, name: str, place: int) -> FunctionType:
    """Give a function that is made within another one.

    :param outer: Qualified name of the other one.
    :param place: Which one of those of this name.
    """
    code = list(_inner_code(module, outer, name))[place]
    return FunctionType(code, vars(importlib.import_module(module)), name)


def _inner_code(module: str, outer: str, name: str) -> Iterator[CodeType]:
    function: Any = functools.reduce(getattr, outer.split("."), importlib.import_module(module))
    consts = function.__code__.co_consts
    return (const for const in consts if isinstance(const, CodeType) and const.co_name == name)
