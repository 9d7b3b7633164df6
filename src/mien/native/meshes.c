/* What is known at the vertices of a mesh: small sums for which calls from Python cost more than the work. */

#include <math.h>

#include "pixels.h"

MIEN_EXPORT MIEN_HOT void mien_flatten(const float *values, const int32_t *corners, const float *weights, int texels,
                                       float *drawn)
{
    for (int i = 0; i < texels; i++, corners += 3, weights += 3, drawn += 4) {
        Four sum = all(0);
        for (int corner = 0; corner < 3; corner++) {
            const float *value = values + 3 * (ptrdiff_t)corners[corner];
            Four known = {value[0], value[1], value[2], 0};
            sum += all(weights[corner]) * known;
        }
        memcpy(drawn, &sum, sizeof sum);
    }
}

MIEN_EXPORT void mien_outer_rings(const float *vertices, int count, int width, const int64_t *oval, int ring,
                                  float near, float far, float *out)
{
    memcpy(out, vertices, sizeof(float) * (size_t)count * (size_t)width);
    for (int axis = 0; axis < width; axis++) {
        double sum = 0;
        for (int i = 0; i < count; i++)
            sum += vertices[(ptrdiff_t)i * width + axis];
        float middle = (float)(sum / count);
        for (int i = 0; i < ring; i++) {
            float edge = vertices[oval[i] * width + axis];
            out[(ptrdiff_t)(count + i) * width + axis] = edge + near * (edge - middle);
            out[(ptrdiff_t)(count + ring + i) * width + axis] = edge + far * (edge - middle);
        }
    }
}

MIEN_EXPORT void mien_bounds(const float *points, int count, int width, float *bounds)
{
    for (int axis = 0; axis < 2; axis++) {
        float low = points[axis], high = low;
        for (int i = 1; i < count; i++) {
            float value = points[(ptrdiff_t)i * width + axis];
            low = value < low ? value : low;
            high = value > high ? value : high;
        }
        bounds[axis] = low;
        bounds[2 + axis] = high;
    }
}

MIEN_EXPORT int mien_similarity(const float *from, const float *to, int count, float *way)
{
    double middle[4] = {0, 0, 0, 0}, spread = 0, along = 0, aside = 0;
    for (int i = 0; i < 2 * count; i++) {
        middle[i & 1] += from[i] / (double)count;
        middle[2 + (i & 1)] += to[i] / (double)count;
    }
    for (int i = 0; i < 2 * count; i += 2) {
        double x = from[i] - middle[0], y = from[i + 1] - middle[1];
        double to_x = to[i] - middle[2], to_y = to[i + 1] - middle[3];
        spread += x * x + y * y;
        along += x * to_x + y * to_y;
        aside += x * to_y - y * to_x;
    }
    if (!(spread >= 1e-9))
        return 0;
    double cosine = along / spread, sine = aside / spread;
    way[0] = way[4] = (float)cosine;
    way[1] = (float)-sine;
    way[3] = (float)sine;
    way[2] = (float)(middle[2] - cosine * middle[0] + sine * middle[1]);
    way[5] = (float)(middle[3] - sine * middle[0] - cosine * middle[1]);
    return 1;
}

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
