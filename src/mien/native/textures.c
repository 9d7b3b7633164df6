/* Between frame and flat texture, and a texture in another light. */

#include <math.h>

#include "pixels.h"

MIEN_EXPORT MIEN_HOT void mien_sample(const uint8_t *image, ptrdiff_t stride, int width, int height,
                                      const float *places, int count, uint8_t *out)
{
    Picture from = picture(image, stride, width, height);
    for (int i = 0; i < count; i++)
        put(out + 3 * (ptrdiff_t)i, sampled(&from, places[4 * (ptrdiff_t)i], places[4 * (ptrdiff_t)i + 1]));
}

/* At its border a picture is mirrored, the border pixel itself standing once. */
MIEN_INLINE int mirrored(int at, int count)
{
    if (at < 0)
        return count > 1 ? 1 : 0;
    return at < count ? at : (count > 1 ? count - 2 : 0);
}

MIEN_INLINE Four four_bytes(uint32_t bytes)
{
    TwoBits both = {bytes, 0};
    Bytes each = (Bytes)both;
    each = __builtin_shufflevector(each, each, 0, 8, 8, 8, 1, 8, 8, 8, 2, 8, 8, 8, 3, 8, 8, 8);
    return __builtin_convertvector((FourWhole)each, Four);
}

/* Bilinear in a texture of four bytes a texel and more than one texel a side. */
MIEN_INLINE Four texel(const uint8_t *texture, int side, float most, float x, float y)
{
    x = within(x, most);
    y = within(y, most);
    int column = (int)x, row = (int)y;
    const uint8_t *at = texture + 4 * ((ptrdiff_t)row * side + column);
    uint32_t corners[4];
    memcpy(corners, at, 8);
    memcpy(corners + 2, at + 4 * (ptrdiff_t)side, 8);
    Four left = four_bytes(corners[0]), right = four_bytes(corners[1]), down = all(y - (float)row);
    left += down * (four_bytes(corners[2]) - left);
    right += down * (four_bytes(corners[3]) - right);
    return left + all(x - (float)column) * (right - left);
}

MIEN_EXPORT MIEN_HOT void mien_lay(const uint8_t *texture, int side, float *drawn, int width, int height,
                                   uint8_t *face, ptrdiff_t face_stride, float *alpha, ptrdiff_t alpha_stride)
{
    float most = hair_below(side - 1);
    Four corner = texel(texture, side, most, 0, 0);
    /* Depth is not needed any more; the sum of three neighbours takes its place. */
    for (int y = 0; y < height; y++) {
        float *row = drawn + 4 * (ptrdiff_t)y * width;
        for (int x = 0; x < width; x++)
            row[4 * (ptrdiff_t)x + 3] = row[4 * (ptrdiff_t)x + 2] + row[4 * (ptrdiff_t)mirrored(x - 1, width) + 2] +
                                        row[4 * (ptrdiff_t)mirrored(x + 1, width) + 2];
    }
    for (int y = 0; y < height; y++) {
        const float *row = drawn + 4 * (ptrdiff_t)y * width;
        const float *above = drawn + 4 * (ptrdiff_t)mirrored(y - 1, height) * width;
        const float *below = drawn + 4 * (ptrdiff_t)mirrored(y + 1, height) * width;
        uint8_t *out = face + y * face_stride;
        float *hides = (float *)(void *)((char *)alpha + y * alpha_stride);
        for (int x = 0; x < width; x++, row += 4, above += 4, below += 4, out += 3, hides++) {
            float open = (row[3] + above[3] + below[3]) * (2.0f / 9) - 1;
            int outside = row[0] == 0 && row[1] == 0;
            Four seen = outside ? corner : texel(texture, side, most, row[0], row[1]);
            put(out, seen);
            *hides = within(open, 1) * (float)(int)(seen[3] + 0.5f) * (1 / 255.0f);
        }
    }
}

MIEN_EXPORT MIEN_HOT void mien_blend(const uint8_t *face, const uint8_t *under, ptrdiff_t stride,
                                     const float *alpha, int width, int height, uint8_t *out)
{
    Picture over = picture(face, 3 * (ptrdiff_t)width, width, height);
    Picture below = picture(under, stride, width, height);
    for (int y = 0; y < height; y++) {
        const uint8_t *beneath = under + y * stride;
        int still = 0;
        while (still < width && alpha[still] == 0)
            still++;
        if (still == width) {
            memcpy(out, beneath, 3 * (size_t)width);
            out += 3 * (ptrdiff_t)width;
            face += 3 * (ptrdiff_t)width;
            alpha += width;
            continue;
        }
        for (int x = 0; x < width; x++, out += 3, face += 3, beneath += 3, alpha++) {
            if (*alpha == 0) {
                memcpy(out, beneath, 3);
                continue;
            }
            Four live = pixel(&below, beneath);
            put(out, live + all(within(*alpha, 1)) * (pixel(&over, face) - live));
        }
    }
}

MIEN_INLINE Four between_fours(const float *upper, const float *lower, float share)
{
    Four one, other;
    memcpy(&one, upper, sizeof one);
    memcpy(&other, lower, sizeof other);
    return one + all(share) * (other - one);
}

MIEN_EXPORT MIEN_HOT void mien_move(const uint8_t *image, ptrdiff_t stride, int width, int height, const float *moves,
                                    int step, uint8_t *out)
{
    Picture from = picture(image, stride, width, height);
    int columns = (width + step - 1) / step, rows = (height + step - 1) / step;
    for (int y = 0; y < height; y++) {
        Between down = between(((float)y + 0.5f) / (float)step - 0.5f, rows);
        const float *upper = moves + 4 * (ptrdiff_t)down.first * columns;
        const float *lower = upper + 4 * (ptrdiff_t)down.step * columns;
        const uint8_t *live = image + y * stride;
        Four left = between_fours(upper, lower, down.share), right = left;
        /* Between the middles of two columns of moves; the first and the last hold to the picture's edges. */
        for (int x = 0, column = 0; x < width; column++, left = right) {
            if (column < columns)
                right = between_fours(upper + 4 * (ptrdiff_t)column, lower + 4 * (ptrdiff_t)column, down.share);
            int end = column * step + step / 2, still = !left[0] && !left[1] && !right[0] && !right[1];
            end = end < width ? end : width;
            if (still && end > x) {
                memcpy(out, live + 3 * (ptrdiff_t)x, 3 * (size_t)(end - x));
                out += 3 * (ptrdiff_t)(end - x);
                x = end;
            }
            for (; x < end; x++, out += 3) {
                float share = ((float)x + 0.5f) / (float)step + 0.5f - (float)column;
                Four move = left + all(share) * (right - left);
                put(out, sampled(&from, (float)x + move[0], (float)y + move[1]));
            }
        }
    }
}

/* Rows of a coarse picture that was stretched along its rows; what lies between them is as far from each. */
MIEN_INLINE Between between_rows(int y, int height, int rows)
{
    return between(((float)y + 0.5f) * (float)rows / (float)height - 0.5f, rows);
}

MIEN_EXPORT MIEN_HOT void mien_light(const float *restrict detail, const float *restrict lamp, int rows, int length,
                                     int height, float offset, uint8_t *restrict out)
{
    for (int y = 0; y < height; y++, detail += length, out += length) {
        Between down = between_rows(y, height, rows);
        const float *upper = lamp + (ptrdiff_t)down.first * length, *lower = upper + (ptrdiff_t)down.step * length;
        for (int i = 0; i < length; i++) {
            float lit = detail[i] * (upper[i] + down.share * (lower[i] - upper[i])) - offset;
            lit = lit > 0 ? lit : 0;
            out[i] = (uint8_t)(int)(lit < 255 ? lit : 255);
        }
    }
}

MIEN_EXPORT MIEN_HOT void mien_shine(const uint8_t *restrict texture, const float *restrict gain,
                                     const float *restrict glow, int rows, int length, int height,
                                     uint8_t *restrict out)
{
    for (int y = 0; y < height; y++, texture += length, out += length) {
        Between down = between_rows(y, height, rows);
        ptrdiff_t first = (ptrdiff_t)down.first * length, second = first + (ptrdiff_t)down.step * length;
        for (int i = 0; i < length; i++) {
            float more = gain[first + i] + down.share * (gain[second + i] - gain[first + i]);
            float gloss = glow[first + i] + down.share * (glow[second + i] - glow[first + i]);
            float lit = (float)texture[i] * more + gloss + 0.5f;
            lit = lit > 0 ? lit : 0;
            out[i] = (uint8_t)(int)(lit < 255 ? lit : 255);
        }
    }
}

MIEN_EXPORT MIEN_HOT void mien_planes(const uint8_t *restrict image, int count, float scale, float offset,
                                      float *restrict out)
{
    for (int channel = 0; channel < 3; channel++, out += count)
        for (int i = 0; i < count; i++)
            out[i] = (float)image[3 * (ptrdiff_t)i + channel] * scale + offset;
}

MIEN_EXPORT MIEN_HOT void mien_skin(const uint8_t *restrict lab, int count, const float *restrict middle,
                                    const float *restrict spread, float *restrict out)
{
    for (int i = 0; i < count; i++) {
        float light = ((float)lab[3 * (ptrdiff_t)i] - middle[0]) / spread[0];
        float red = ((float)lab[3 * (ptrdiff_t)i + 1] - middle[1]) / spread[1];
        float yellow = ((float)lab[3 * (ptrdiff_t)i + 2] - middle[2]) / spread[2];
        float lighter = 0.5f * (light < 2 ? light : 2);
        light = light < 0 ? 0.75f * light : lighter;
        float away = (sqrtf(light * light + red * red + yellow * yellow) - 3.2f) / 2.5f;
        away = away > 0 ? away : 0;
        out[i] = 1 - (away < 1 ? away : 1);
    }
}
