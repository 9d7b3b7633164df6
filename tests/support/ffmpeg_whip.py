"""Publishes stripes and silence with FFmpeg's WHIP muxer until its standard input closes.

    python ffmpeg_whip.py URL TOKEN FOLDER PROFILE

PROFILE is one of H.264's that x264 knows.

A process of its own, since FFmpeg keeps the interpreter to itself while it waits for the server's answer.
"""

import fractions
import sys
import threading
import time
from pathlib import Path

import av
import cv2
import numpy as np
from aiortc import RTCCertificate
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

WIDTH, HEIGHT, FPS = 320, 240, 20


def certificate_options(folder: Path) -> dict[str, str]:
    """Return the options that make FFmpeg use a certificate of ours.

    The one it makes itself where it was built with GnuTLS has a curve that OpenSSL has given up.
    """
    made = RTCCertificate.generateCertificate()
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made._cert.public_bytes(Encoding.PEM))
    key.write_bytes(made._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return {"cert_file": str(certificate), "key_file": str(key)}


def publish(url: str, token: str, folder: Path, profile: str, stop: threading.Event) -> None:
    """Publish until `stop` is set."""
    options = {"authorization": token} | certificate_options(folder)
    with av.open(url, "w", format="whip", options=options) as whip:
        video = whip.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": profile, "g": "20"}
        audio = whip.add_stream("libopus", rate=48_000, layout="stereo")
        began = time.monotonic()
        number = 0
        while not stop.wait(max(began + number / FPS - time.monotonic(), 0)):
            columns = ((np.arange(WIDTH) + 4 * number) // 8 % 2 * 255).astype(np.uint8)
            rgb = np.repeat(np.tile(columns, (HEIGHT, 1))[:, :, None], 3, axis=2)
            planes = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420), np.uint8)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, fractions.Fraction(1, FPS)
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), format="s16", layout="stereo")
            sound.sample_rate, sound.pts, sound.time_base = 48_000, number * 2400, fractions.Fraction(1, 48_000)
            whip.mux(audio.encode(sound))
            whip.mux(video.encode(frame))
            number += 1


def main() -> None:
    """Run as a script."""
    url, token, folder, profile = sys.argv[1:]
    stop = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(stop,), daemon=True).start()
    publish(url, token, Path(folder), profile, stop)


def _wait_for_the_end(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


if __name__ == "__main__":
    main()
