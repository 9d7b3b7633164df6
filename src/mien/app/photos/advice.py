"""What to say to somebody whose photo could be better: what to change, in both languages."""

from collections.abc import Mapping
from typing import Final

from mien.app.consent import Language
from mien.vision.photos.quality import PhotoIssue

SPOILS_RECOGNITION: Final = frozenset(
    {
        PhotoIssue.NO_FACE,
        PhotoIssue.SEVERAL_FACES,
        PhotoIssue.FACE_SMALL,
        PhotoIssue.FACE_TURNED,
        PhotoIssue.CUT_OFF,
        PhotoIssue.COVERED,
        PhotoIssue.BLURRED,
        PhotoIssue.TOO_DARK,
        PhotoIssue.TOO_BRIGHT,
        PhotoIssue.LIGHT_UNEVEN,
        PhotoIssue.FACE_TILTED,
    }
)
"""What makes a face hard to know again; a smile or open lips only spoil a persona."""

NEVER_RECOGNISED: Final[Mapping[Language, str]] = {
    "en": (
        "was never surely recognised and was treated like everybody else. If they are in it, use several photos of "
        "them in one folder: sharp, from the front, in light like the clip's."
    ),
    "ko": (
        "확실히 알아보지 못해 다른 사람과 똑같이 처리했어요. 이 사람이 나온다면 영상과 비슷한 빛에서 "
        "정면으로 찍은 선명한 사진 여러 장을 한 폴더에 넣어 주세요."
    ),
}

ADVICE: Final[Mapping[PhotoIssue, Mapping[Language, str]]] = {
    PhotoIssue.NO_FACE: {
        "en": "No face was found. Use a photo that shows the whole face from the front.",
        "ko": "얼굴을 찾지 못했어요. 얼굴 전체가 정면으로 나온 사진을 써 주세요.",
    },
    PhotoIssue.SEVERAL_FACES: {
        "en": "Several faces are about equally large. Crop the photo to one person.",
        "ko": "비슷한 크기의 얼굴이 여럿 있어요. 한 사람만 남게 잘라 주세요.",
    },
    PhotoIssue.OTHER_PERSON: {
        "en": "This seems to be somebody else than in the other photos. Use photos of one person.",
        "ko": "다른 사진 속 사람과 달라 보여요. 같은 사람의 사진만 골라 주세요.",
    },
    PhotoIssue.FACE_SMALL: {
        "en": "The face is small. Take the photo from nearer, or use a larger one.",
        "ko": "얼굴이 작아요. 더 가까이에서 찍거나 더 큰 사진을 써 주세요.",
    },
    PhotoIssue.FACE_TURNED: {
        "en": "The face is turned away. Look straight into the camera.",
        "ko": "얼굴이 옆이나 위아래를 향해 있어요. 카메라를 똑바로 봐 주세요.",
    },
    PhotoIssue.CUT_OFF: {
        "en": "Part of the face is outside the picture. Leave room around the head.",
        "ko": "얼굴 일부가 사진 밖으로 잘렸어요. 머리 둘레에 여유를 두고 찍어 주세요.",
    },
    PhotoIssue.COVERED: {
        "en": "Something is in front of the face. Move hand, mask or hair out of the way.",
        "ko": "무언가가 얼굴을 가리고 있어요. 손, 마스크, 머리카락을 치워 주세요.",
    },
    PhotoIssue.BLURRED: {
        "en": "The photo is blurred. Hold still, let the camera focus, and take it again.",
        "ko": "사진이 흐려요. 초점을 맞추고 움직이지 않은 채 다시 찍어 주세요.",
    },
    PhotoIssue.TOO_DARK: {
        "en": "The face is too dark. Turn towards a window or switch on a light.",
        "ko": "얼굴이 너무 어두워요. 창문 쪽을 보거나 불을 켜 주세요.",
    },
    PhotoIssue.TOO_BRIGHT: {
        "en": "The face is overexposed. Use softer light, without flash.",
        "ko": "얼굴이 너무 밝게 날아갔어요. 플래시를 끄고 더 부드러운 빛에서 찍어 주세요.",
    },
    PhotoIssue.LIGHT_UNEVEN: {
        "en": "One side of the face is in shadow. Let the light come from the front.",
        "ko": "얼굴 한쪽이 그늘졌어요. 빛이 정면에서 오게 해 주세요.",
    },
    PhotoIssue.GLASSES: {
        "en": "Glasses leave traces around the eyes. Take them off for the photo.",
        "ko": "안경 때문에 눈가에 자국이 남아요. 안경을 벗고 찍어 주세요.",
    },
    PhotoIssue.EYES_CLOSED: {
        "en": "The eyes are closed or narrow. Open both eyes as usual.",
        "ko": "눈을 감았거나 가늘게 떴어요. 두 눈을 평소처럼 떠 주세요.",
    },
    PhotoIssue.MOUTH_OPEN: {
        "en": "The mouth is open. Close it.",
        "ko": "입이 벌어져 있어요. 입을 다물어 주세요.",
    },
    PhotoIssue.TEETH: {
        "en": "Teeth show: the face would seem to smile all the time. Close the mouth.",
        "ko": "치아가 보여서 계속 웃는 얼굴처럼 보여요. 입을 다물고 찍어 주세요.",
    },
    PhotoIssue.SMILE: {
        "en": "A broad smile leaves folds in the cheeks. Relax the face.",
        "ko": "활짝 웃으면 볼에 주름이 남아요. 표정에서 힘을 빼 주세요.",
    },
    PhotoIssue.FRINGE: {
        "en": "Hair or a hat covers the forehead. Brush it back or take it off.",
        "ko": "머리카락이나 모자가 이마를 가려요. 머리를 넘기거나 모자를 벗어 주세요.",
    },
    PhotoIssue.FACE_TILTED: {
        "en": "The head is tilted. Hold it upright.",
        "ko": "고개가 기울었어요. 고개를 똑바로 세워 주세요.",
    },
}
"""By the codes of the findings."""
