"""Keeps the libraries that read images from printing a line of their own for each file.

What is wrong with a file is in our message, with its name; theirs do not name it, and come once for
each file, thread and worker.
"""

import logging
import warnings

import cv2


def quiet_readers() -> None:
    """Silences Pillow, tifffile and OpenCV, unless the program has set up logging for them."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    for name in ("PIL", "tifffile"):
        # Without any handler, Python prints errors to standard error.
        logging.getLogger(name).addHandler(logging.NullHandler())
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
