"""Picture files that are made to hurt whoever decodes them. All of them are small."""

import io
import struct
import zlib

from PIL import Image


def flat_photo(form: str, size_wh: tuple[int, int], **options: object) -> bytes:
    """Return a photo of one colour, which takes next to no bytes however many pixels it has."""
    file = io.BytesIO()
    Image.new("RGB", size_wh, (120, 90, 70)).save(file, form, **options)
    return file.getvalue()


def lying_png(size_wh: tuple[int, int], said_wh: tuple[int, int]) -> bytes:
    """Return a PNG whose first header says another size than the one that decoders believe, the last."""
    head = b"\x89PNG\r\n\x1a\n"
    true = flat_photo("PNG", size_wh)[len(head) :]
    return head + _chunk(b"IHDR", struct.pack("!IIBBBBB", *said_wh, 8, 2, 0, 0, 0)) + true


def png_with_a_text_bomb(size_wh: tuple[int, int], text_bytes: int) -> bytes:
    """Return a small PNG with a comment that unpacks to `text_bytes`."""
    photo = flat_photo("PNG", size_wh)
    after_head = 8 + 25
    bomb = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(text_bytes), 9))
    return photo[:after_head] + bomb + photo[after_head:]


def endless_progressive_jpeg(size_wh: tuple[int, int], scans: int) -> bytes:
    """Return a JPEG whose last scan comes again and again: every one makes a decoder walk through all pixels."""
    photo = flat_photo("JPEG", size_wh, progressive=True, quality=30)
    last = photo.rindex(b"\xff\xda")
    return photo[:last] + photo[last:-2] * scans + b"\xff\xd9"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack("!I", len(content)) + kind + content + struct.pack("!I", zlib.crc32(kind + content))
