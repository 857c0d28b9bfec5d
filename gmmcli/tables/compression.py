"""Compression undone block by block: gzip, bzip2, zstd and xz."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import Any

from gmmcli.errors import UserError
from gmmcli.tables.blocks import BlockFile

COMPRESSION_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}


def decompressed(
    blocks: Iterator[bytes], compression: str, name: str, block_size: int
) -> Iterator[bytes]:
    """The plain bytes of compressed `blocks`.

    Raises UserError, which names the input `name`, where the data are damaged or end too early.
    """
    stream = (
        _zstd(blocks, block_size)
        if compression == "zstd"
        else _members(blocks, compression, block_size)
    )
    try:
        yield from stream
    except (zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        if isinstance(error, EOFError) or "truncated" in str(error).lower():
            problem = f"the {compression} data end too early"
        else:
            problem = f"the {compression} data are damaged"
        raise UserError(f"{name}: {problem}", "fetch or compress the file again") from None
    finally:
        blocks.close()  # type: ignore[attr-defined]


def _members(blocks: Iterator[bytes], compression: str, block_size: int) -> Iterator[bytes]:
    """The bytes of all members, one after the other, of gzip, bzip2 or xz."""
    decoder: Any = None
    for block in blocks:
        data = block
        while data or (decoder is not None and not decoder.eof and not _hungry(decoder)):
            if decoder is None:
                data = data.lstrip(b"\0")  # padding between members is allowed
                if not data:
                    break
                decoder = _decoder(compression)
            out = decoder.decompress(data, block_size)
            data = getattr(decoder, "unconsumed_tail", b"")
            if decoder.eof:
                data, decoder = decoder.unused_data, None
            if out:
                yield out
            elif not data:
                break
    if decoder is not None:
        raise EOFError


def _decoder(compression: str) -> Any:
    if compression == "gzip":
        return zlib.decompressobj(wbits=31)
    return bz2.BZ2Decompressor() if compression == "bzip2" else lzma.LZMADecompressor()


def _hungry(decoder: Any) -> bool:
    # zlib hands unread input back (`unconsumed_tail`); the other two keep it.
    return bool(getattr(decoder, "needs_input", True))


def _zstd(blocks: Iterator[bytes], block_size: int) -> Iterator[bytes]:
    import pyarrow as pa

    with pa.CompressedInputStream(pa.PythonFile(BlockFile(blocks), mode="r"), "zstd") as stream:
        while block := stream.read(block_size):
            yield block
