/* What is known at the vertices of a mesh: small sums for which calls from Python cost more than the work. */

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
            if (value != value) {
                low = high = value;
                break;
            }
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
