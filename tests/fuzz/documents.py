"""Model documents spoiled as documents: JSON by its nodes, NPZ by its members."""

from __future__ import annotations

import copy
import io
import json
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import numpy as np

from fuzz.spoil import spoil_bytes, spoil_text

Members = list[tuple[str, bytes]]

VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        {},
        [],
        [[]],
        "",
        "full",
        "tied",
        "diag",
        "spherical",
        "a",
        "\0",
        "é\ud800",
    ),
    *(0, 1, -1, 2, 10**6, 2**31, 2**53, 2**63, 2**64, 10**30, -(2**63), 0.0, -0.0, 0.5, 1e-320),
    *(1e-300, 1e300, -1e308, float("nan"), float("inf"), 1e-9, "1.5", [0.5, 0.5], {"a": 1}),
    *([0] * 5000, ["x"] * 2000, {str(i): i for i in range(2000)}, "x" * 20_000),
)
"""What may stand where anything stood."""

NEAR = (0, 1, 2, -1, 0.25, 0.75, 1e-9, 1e-160, 1e-300, 1e150, 1e300, 2**62, True, 1.0000001)
"""What may stand where a number stood, such that the file may still be a model."""

NAMES = ("weights", "means", "covariances", "columns", "covariance", "sizes", "clusters", "options")


_SHAPES = (
    *("()", "(0,)", "(1,)", "(-1,)", "(2,)", "(2, 2)", "(1000000,)", "(3000000, 2)", "(1 << 40,)"),
    *("(1099511627776, 2)", "(4294967296, 4294967296)", "(True,)", "(2.0,)", "None", "(" * 99),
)
_TYPES = ("<f8", ">f8", "<i4", "<U1", "<U100000000", "|O", "|V8", "<M8[s]", "|S0", "<U0", "f")


def spoil_document(rng: Random, document: Any) -> Any:
    """One to four nodes changed, of a copy."""
    document = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        nodes = list(_nodes(document))
        if not nodes:
            return rng.choice(VALUES)
        parent, key = rng.choice(nodes)
        _change(rng, parent, key, nodes)
    return document


def _nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a document: who holds it, and under which key."""
    if not isinstance(value, dict | list) or len(value) >= 500:
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        yield from _nodes(item)


def _change(rng: Random, parent: Any, key: Any, nodes: Sequence[tuple[Any, Any]]) -> None:
    value = parent[key]
    choice = rng.randrange(10)
    if choice < 3:
        near = isinstance(value, int | float) and rng.random() < 0.5
        parent[key] = copy.deepcopy(rng.choice(NEAR if near else VALUES))
    elif choice == 3:
        other, name = rng.choice(nodes)
        parent[key] = copy.deepcopy(other[name])
    elif choice == 4:
        del parent[key]
    elif choice == 5 and isinstance(parent, dict):
        parent[rng.choice((*NAMES, str(key) + "_", ""))] = parent.pop(key)
    elif choice == 6:
        for _ in range(rng.choice((1, 5, 40))):
            value = [value]
        parent[key] = value
    elif choice == 7 and isinstance(value, list) and value:
        parent[key] = value * rng.choice((2, 3, 100)) if rng.random() < 0.5 else value[:-1]
    elif choice == 8 and isinstance(value, int | float):
        parent[key] = rng.choice((-value, str(value), [value], value * 1e300, value + 1e-7))
    elif isinstance(value, list) and value and all(isinstance(row, list) for row in value):
        parent[key] = [list(row) for row in zip(*value, strict=False)]
    elif isinstance(parent, list):
        parent.insert(rng.randrange(len(parent) + 1), copy.deepcopy(value))


def json_bytes(rng: Random, seeds: Sequence[dict[str, Any]]) -> bytes:
    """A model as JSON, spoiled by its nodes, its tokens or its bytes."""
    document = rng.choice(seeds)
    texts = [json.dumps(seed) for seed in seeds]
    choice = rng.random()
    if choice < 0.7:
        document = spoil_document(rng, document)
    text = json.dumps(document, ensure_ascii=rng.random() < 0.8)
    if rng.random() < 0.05:
        text = _with_a_twin(rng, text)
    if choice > 0.65:
        text = spoil_text(rng, text, texts)
    encoding = rng.choice(("utf-8",) * 18 + ("utf-8-sig", "utf-16"))
    data = text.encode(encoding, "surrogatepass")
    if choice > 0.9:
        data = spoil_bytes(rng, data, [other.encode() for other in texts], ())
    return data


def _with_a_twin(rng: Random, text: str) -> str:
    """A name twice in one object."""
    return text.replace("{", f'{{"{rng.choice(NAMES)}": 1, ', 1)


def npz_bytes(rng: Random, seeds: Sequence[bytes]) -> bytes:
    """A model as NPZ, spoiled by its members or its bytes."""
    data = rng.choice(seeds)
    if (choice := rng.random()) < 0.85:
        members = unzipped(data)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            members = _members_changed(rng, members, seeds)
        data = zipped(members, zipfile.ZIP_DEFLATED if rng.random() < 0.05 else zipfile.ZIP_STORED)
    if choice > 0.8:
        directory = data.find(b"PK\x01\x02")
        heads = [(0, 80), (max(directory, 0), len(data))]
        data = spoil_bytes(rng, data, seeds, heads)
    return data


def unzipped(data: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def zipped(members: Members, compression: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of the members, twins too, the same bytes at any time."""
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", compression) as archive:
        warnings.simplefilter("ignore")
        for name, content in members:
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = compression
            archive.writestr(info, content)
    return out.getvalue()


def _members_changed(rng: Random, members: Members, seeds: Sequence[bytes]) -> Members:
    if not members:
        return [("document.npy", b"")]
    members = list(members)
    place = rng.randrange(len(members))
    name, content = members[place]
    others = [content for seed in seeds for _, content in unzipped(seed)]
    choice = rng.randrange(12)
    if choice < 3:
        head = content.find(b"\n") + 1
        content = spoil_bytes(rng, content, others, [(0, head), (head, len(content))])
    elif choice < 5:
        content = npy(_other_array(rng, read_npy(content)))
    elif choice < 7:
        content = _other_header(rng, content)
    elif choice == 7:
        content = rng.choice(others)
    elif choice == 8:
        del members[place]
        return members
    elif choice == 9:
        name = rng.choice(("weights.npy", "x.npy", "weights", "../up.npy", "", "means.npy.npy"))
    else:
        members[:] = [
            (other, _document_changed(rng, old) if other.startswith("document") else old)
            for other, old in members
        ]
        return members
    members[place] = name, content
    return members


def _document_changed(rng: Random, content: bytes) -> bytes:
    """The text of a model without its arrays, spoiled."""
    try:
        document = json.loads(str(read_npy(content)))
        text = json.dumps(spoil_document(rng, document))
    except ValueError:
        text = "{}"
    if rng.random() < 0.3:
        text = spoil_text(rng, text, [text])
    return npy(np.array(text))


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=True)
    return out.getvalue()


def read_npy(content: bytes) -> Any:
    """The array of a member; one number where a change before has left none."""
    try:
        return np.lib.format.read_array(io.BytesIO(content))
    except Exception:
        return np.array(0.5)


def _other_array(rng: Random, array: Any) -> Any:
    """An array of another shape, type, order or value."""
    if array.dtype.kind not in "fiu":
        return rng.choice((np.array([array]), np.array(b"{}"), np.array(1.5), np.array([{}])))
    spoilt = np.array(array, float)
    value = rng.choice((0.0, -1.0, np.nan, np.inf, 1e308, -1e308, 5e-324, 1e-160, 1e160, 0.1))
    choice = rng.randrange(6)
    with np.errstate(all="ignore"):
        if choice == 0 and spoilt.size:
            spoilt.flat[rng.randrange(spoilt.size)] = value
        elif choice == 1:
            spoilt = spoilt * value
        elif choice == 2:
            return spoilt.astype(
                rng.choice((">f8", "<f4", "<f2", "<i8", "<u1", "<c16", "?", "<U3"))
            )
        elif choice == 3:
            spoilt = spoilt.reshape(rng.choice(((-1,), (1, *spoilt.shape), (*spoilt.shape, 1))))
        elif choice == 4:
            spoilt = np.repeat(spoilt, rng.choice((0, 2, 50)), axis=0) if spoilt.ndim else spoilt
        else:
            spoilt = np.asfortranarray(spoilt.T)
    return spoilt


def _other_header(rng: Random, content: bytes) -> bytes:
    """The content under an .npy header that says something else."""
    head = content.find(b"\n") + 1
    shape, descr = rng.choice(_SHAPES), rng.choice(_TYPES)
    order = rng.choice(("False", "False", "True", "None"))
    text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    version = rng.choice((1, 1, 1, 2, 3, 9))
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + content[head:]
