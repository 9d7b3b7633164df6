/* The eyes of a photo, drawn into a live face. */

#include <math.h>

#include "pixels.h"

/* Bilinear in a picture of four numbers a pixel, within its edges. */
MIEN_INLINE Four fours(const float *rows, int width, int height, float x, float y)
{
    Between across = between(x, width), down = between(y, height);
    const float *at = rows + 4 * ((ptrdiff_t)down.first * width + across.first);
    ptrdiff_t right = 4 * across.step, below = 4 * (ptrdiff_t)down.step * width;
    Four corners[4];
    memcpy(corners, at, sizeof(Four));
    memcpy(corners + 1, at + right, sizeof(Four));
    memcpy(corners + 2, at + below, sizeof(Four));
    memcpy(corners + 3, at + below + right, sizeof(Four));
    Four upper = corners[0] + all(across.share) * (corners[1] - corners[0]);
    Four lower = corners[2] + all(across.share) * (corners[3] - corners[2]);
    return upper + all(down.share) * (lower - upper);
}

/* One pixel of an iris; beyond its picture there is nothing. */
MIEN_INLINE Four iris_pixel(const float *iris, int width, int height, int x, int y)
{
    Four found = all(0);
    if (x >= 0 && y >= 0 && x < width && y < height)
        memcpy(&found, iris + 4 * ((ptrdiff_t)y * width + x), sizeof found);
    return found;
}

MIEN_EXPORT MIEN_HOT void mien_compose_eye(const float *white, const float *iris, int width, int height,
                                           const float *move, const float *gain, float *composed)
{
    const Four gains = {gain[0], gain[1], gain[2], 1};
    float to_x = within(move[0] + (float)width, 2 * (float)width) - (float)width;
    float to_y = within(move[1] + (float)height, 2 * (float)height) - (float)height;
    int by_x = (int)floorf(-to_x), by_y = (int)floorf(-to_y);
    Four across = all(-to_x - (float)by_x), down = all(-to_y - (float)by_y);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, white += 3, composed += 4) {
            Four one = iris_pixel(iris, width, height, x + by_x, y + by_y);
            Four other = iris_pixel(iris, width, height, x + by_x, y + by_y + 1);
            one += across * (iris_pixel(iris, width, height, x + by_x + 1, y + by_y) - one);
            other += across * (iris_pixel(iris, width, height, x + by_x + 1, y + by_y + 1) - other);
            Four over = one + down * (other - one), there = all(over[3]);
            Four under = {white[0], white[1], white[2], 0};
            Four mixed = (under * (all(1) - there) + over * there) * gains;
            mixed[3] = over[3];
            memcpy(composed, &mixed, sizeof mixed);
        }
}

MIEN_EXPORT MIEN_HOT void mien_draw_eye(const float *eye, int eye_width, int eye_height, const float *way,
                                        const uint8_t *glints, const float *soft, const float *shade, int width,
                                        int height, uint8_t *face, ptrdiff_t stride)
{
    for (int y = 0; y < height; y++) {
        uint8_t *at = face + y * stride;
        for (int x = 0; x < width; x++, at += 3, glints++, soft++, shade++) {
            if (!(*soft > 0))
                continue;
            float across = way[0] * (float)x + way[1] * (float)y + way[2];
            float along = way[3] * (float)x + way[4] * (float)y + way[5];
            Four seen = fours(eye, eye_width, eye_height, across, along);
            float glint = (float)*glints - 10;
            seen += all((glint > 0 ? glint : 0) * seen[3]);
            for (int channel = 0; channel < 3; channel++) {
                float mixed = (float)at[channel] * (1 - *soft) + seen[channel] * *shade * *soft;
                at[channel] = (uint8_t)(int)within(mixed, 255);
            }
        }
    }
}
