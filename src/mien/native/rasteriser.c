/* Triangles drawn into a picture of four numbers a pixel: three values, and depth. */

#include <math.h>

#include "pixels.h"

MIEN_INLINE Four least(Four a, Four b)
{
    FourWhole smaller = a < b;
    return (Four)(((FourWhole)a & smaller) | ((FourWhole)b & ~smaller));
}

MIEN_INLINE Four most(Four a, Four b)
{
    FourWhole larger = a > b;
    return (Four)(((FourWhole)a & larger) | ((FourWhole)b & ~larger));
}

/* The first whole number at or above `value`, within 0 to `end`. */
MIEN_INLINE int whole_from(float value, int end)
{
    return (int)ceilf(within(value, (float)end));
}

typedef struct {
    float x, y;
    Four values;
} Corner;

MIEN_INLINE Corner corner(const float *points, const float *values, int32_t which)
{
    const float *point = points + 3 * (ptrdiff_t)which, *value = values + 3 * (ptrdiff_t)which;
    Corner made = {point[0], point[1], {value[0], value[1], value[2], point[2]}};
    return made;
}

MIEN_INLINE void swap(Corner *a, Corner *b)
{
    Corner kept = *a;
    *a = *b;
    *b = kept;
}

MIEN_INLINE float per_row(const Corner *top, const Corner *bottom)
{
    return bottom->y > top->y ? (bottom->x - top->x) / (bottom->y - top->y) : 0;
}

/* Rows and columns are half open, and an edge is cut from its upper end in both triangles that share it: between
 * neighbours no pixel is left out, and none drawn twice. */
MIEN_INLINE void draw(Corner a, Corner b, Corner c, float *drawn, int width, int height)
{
    if (b.y < a.y)
        swap(&a, &b);
    if (c.y < a.y)
        swap(&a, &c);
    if (c.y < b.y)
        swap(&b, &c);
    float area = (b.x - a.x) * (c.y - a.y) - (c.x - a.x) * (b.y - a.y);
    if (!(fabsf(area) > 1e-12f) || !(fabsf(area) < 1e12f))
        return;
    Four ab = b.values - a.values, ac = c.values - a.values;
    Four across = (ab * all(c.y - a.y) - ac * all(b.y - a.y)) / all(area);
    Four down = (ac * all(b.x - a.x) - ab * all(c.x - a.x)) / all(area);
    /* A sliver's slopes are steep: rounding must not carry its values beyond those of its corners. */
    Four low = least(least(a.values, b.values), c.values), high = most(most(a.values, b.values), c.values);
    float whole = per_row(&a, &c), upper = per_row(&a, &b), lower = per_row(&b, &c);
    int end = whole_from(c.y, height);
    for (int y = whole_from(a.y, height); y < end; y++) {
        float row = (float)y;
        float one = a.x + (row - a.y) * whole;
        float other = row < b.y ? a.x + (row - a.y) * upper : b.x + (row - b.y) * lower;
        int first = whole_from(one < other ? one : other, width), past = whole_from(one < other ? other : one, width);
        Four start = a.values + all(row - a.y) * down;
        float *at = drawn + 4 * ((ptrdiff_t)y * width + first);
        for (int x = first; x < past; x++, at += 4) {
            Four values = most(low, least(high, start + all((float)x - a.x) * across));
            if (values[3] < at[3])
                memcpy(at, &values, sizeof values);
        }
    }
}

MIEN_EXPORT MIEN_HOT void mien_rasterise(const float *points, const float *values, int vertices,
                                         const int32_t *triangles, int count, float *drawn, int width, int height)
{
    const Four nothing = {0, 0, 0, INFINITY};
    for (ptrdiff_t i = 0; i < (ptrdiff_t)width * height; i++)
        memcpy(drawn + 4 * i, &nothing, sizeof nothing);
    for (int i = 0; i < count; i++) {
        const int32_t *which = triangles + 3 * (ptrdiff_t)i;
        uint32_t limit = (uint32_t)vertices;
        if ((uint32_t)which[0] >= limit || (uint32_t)which[1] >= limit || (uint32_t)which[2] >= limit)
            continue;
        draw(corner(points, values, which[0]), corner(points, values, which[1]), corner(points, values, which[2]),
             drawn, width, height);
    }
}

/* Each vertex's normal is the sum of those of its triangles, of length 1 afterwards. */
MIEN_EXPORT MIEN_HOT void mien_normals(const float *points, int vertices, const int32_t *triangles, int count,
                                       float *normals)
{
    memset(normals, 0, sizeof(float) * 3 * (size_t)vertices);
    for (int i = 0; i < count; i++) {
        const int32_t *which = triangles + 3 * (ptrdiff_t)i;
        uint32_t limit = (uint32_t)vertices;
        if ((uint32_t)which[0] >= limit || (uint32_t)which[1] >= limit || (uint32_t)which[2] >= limit)
            continue;
        const float *a = points + 3 * which[0], *b = points + 3 * which[1], *c = points + 3 * which[2];
        float ab[3] = {b[0] - a[0], b[1] - a[1], b[2] - a[2]}, ac[3] = {c[0] - a[0], c[1] - a[1], c[2] - a[2]};
        float normal[3] = {ab[1] * ac[2] - ab[2] * ac[1], ab[2] * ac[0] - ab[0] * ac[2],
                           ab[0] * ac[1] - ab[1] * ac[0]};
        for (int corner_ = 0; corner_ < 3; corner_++)
            for (int axis = 0; axis < 3; axis++)
                normals[3 * which[corner_] + axis] += normal[axis];
    }
    for (float *at = normals; at < normals + 3 * (ptrdiff_t)vertices; at += 3) {
        float length = sqrtf(at[0] * at[0] + at[1] * at[1] + at[2] * at[2]);
        length = length > 1e-9f ? length : 1e-9f;
        for (int axis = 0; axis < 3; axis++)
            at[axis] /= length;
    }
}
