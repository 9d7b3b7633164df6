"""Cut the few glyphs of mien's own words out of Noto Sans CJK KR (SIL Open Font License 1.1).

    apt-get install fonts-noto-cjk && pip install fonttools
    python scripts/make_label_font.py

The result is kept in the tree; run this again only when `TEXT` grows.
"""

import argparse
import string
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection, TTFont

SIGNS = "·…°"
WORDS = "AI 변조 잠시 멈춤 중지 연결 기다리는 곧 다시 시작합니다 방송 준비 끝났습니다 끝남"
TEXT = string.printable[:95] + SIGNS + WORDS
SOURCE = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc")
TARGET = Path(__file__).parent.parent / "src" / "mien" / "vision" / "render" / "fonts" / "mien-label.otf"


def korean_face(collection: Path) -> TTFont:
    for face in TTCollection(str(collection)).fonts:
        if "KR" in str(face["name"].getDebugName(4)):
            return face
    raise SystemExit(f"{collection} holds no Korean face")


def cut(face: TTFont, text: str) -> TTFont:
    options = subset.Options(layout_features=["kern"], hinting=False, desubroutinize=True, name_IDs=[0, 13, 14])
    cutter = subset.Subsetter(options)
    cutter.populate(text=text)
    cutter.subset(face)
    for name_id, value in ((1, "Mien Label"), (2, "Bold"), (4, "Mien Label Bold"), (6, "MienLabel-Bold")):
        face["name"].setName(value, name_id, 3, 1, 0x409)
    return face


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=SOURCE)
    source: Path = parser.parse_args().source
    font = cut(korean_face(source), TEXT)
    font.save(TARGET)
    print(f"{TARGET}: {TARGET.stat().st_size} bytes, {len(font.getGlyphOrder())} glyphs")
    print(font["name"].getDebugName(0))


if __name__ == "__main__":
    main()
