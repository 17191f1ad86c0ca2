"""Pixels of Pillow's images. Imported only where somebody has imported Pillow."""

from PIL import Image, ImageOps

# Bytes a pixel of the modes that need no change.
_SAMPLES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
# Modes with 16 bits a pixel, and where the high byte is.
_HIGH_BYTE = {"I;16": 1, "I;16L": 1, "I;16B": 0}


def pixels(image: Image.Image) -> tuple[int, int, int, bytes] | str:
    """Width, height, samples a pixel and the bytes of an image, turned as its EXIF says.

    The name of a reason where there are none.
    """
    try:
        image = ImageOps.exif_transpose(image)
        if image.mode in _HIGH_BYTE:
            return *image.size, 1, image.tobytes()[_HIGH_BYTE[image.mode] :: 2]
        if image.mode in ("I", "F"):
            return "unsupported_format"
        if image.mode not in _SAMPLES:
            transparent = "transparency" in image.info or image.mode in ("PA", "La", "RGBa", "RGBX")
            image = image.convert("RGBA" if transparent and image.mode != "RGBX" else "RGB")
        elif image.mode in ("L", "RGB") and "transparency" in image.info:
            image = image.convert("RGBA")
        return *image.size, _SAMPLES[image.mode], image.tobytes()
    except MemoryError:
        return "image_too_large"
    except Exception as error:  # Whatever a decoder of Pillow says of a file that it has not read yet.
        return "image_truncated" if "truncated" in str(error) else "undecodable"
