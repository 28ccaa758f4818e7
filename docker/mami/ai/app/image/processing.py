"""What is done with an image: bytes in, PNG bytes out."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MAX_PIXELS = 40_000_000
LONGEST = 1600  # pixels of a side of the result


class ImageError(ValueError):
    """The bytes are no image that can be used; the text says why."""


def opened(data: bytes) -> Image.Image:
    """The image; `ImageError` where it is none, of another format, or too large to hold."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(f"the image has more than {MAX_PIXELS // 1_000_000} million pixels")
        image.load()
    except UnidentifiedImageError:
        raise ImageError(
            f"this is not an image of one of the formats {', '.join(FORMATS)}"
        ) from None
    except (OSError, SyntaxError, Image.DecompressionBombError):
        raise ImageError("the image is damaged") from None
    return image


def process(data: bytes, operation: str) -> bytes:
    """The result as PNG; `ImageError` for what cannot be used."""
    image = ImageOps.exif_transpose(opened(data))
    image = (
        ImageOps.contain(image.convert("RGB"), (LONGEST, LONGEST))
        if max(image.size) > LONGEST
        else image.convert("RGB")
    )
    out = io.BytesIO()
    OPERATIONS[operation](image).save(out, "PNG", optimize=True)
    return out.getvalue()


def enhance(image: Image.Image) -> Image.Image:
    """More contrast, colour and sharpness."""
    clear = ImageOps.autocontrast(image, cutoff=1)
    return ImageEnhance.Color(clear).enhance(1.25).filter(ImageFilter.UnsharpMask(2, 120, 2))


def sketch(image: Image.Image) -> Image.Image:
    """A pencil drawing: the grey image divided by its blurred negative."""
    grey = ImageOps.grayscale(image)
    blurred = ImageOps.invert(grey).filter(ImageFilter.GaussianBlur(max(2, max(image.size) // 120)))
    return ImageOps.autocontrast(ImageChops.add(grey, blurred, 1, 0), cutoff=(2, 0)).convert("RGB")


def palette(image: Image.Image) -> Image.Image:
    """The image above a band of its six main colours."""
    small = image.copy()
    small.thumbnail((256, 256))
    found = small.quantize(6, Image.Quantize.MEDIANCUT)
    colours = (found.getpalette() or [0, 0, 0])[: 3 * 6]
    shares = sorted(found.getcolors() or [], reverse=True)
    band = max(24, image.height // 8)
    result = Image.new("RGB", (image.width, image.height + band), "white")
    result.paste(image, (0, 0))
    total, left = sum(count for count, _ in shares), 0
    for number, (count, index) in enumerate(shares):
        right = (
            image.width if number == len(shares) - 1 else left + round(image.width * count / total)
        )
        colour = tuple(colours[3 * index : 3 * index + 3])
        result.paste(colour, (left, image.height, right, image.height + band))
        left = right
    return result


OPERATIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "enhance": enhance,
    "sketch": sketch,
    "palette": palette,
}
