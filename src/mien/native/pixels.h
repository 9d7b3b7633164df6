#ifndef MIEN_PIXELS_H
#define MIEN_PIXELS_H

#include <string.h>

#include "common.h"

/* Part of each hot function that calls it, and so compiled for each processor. */
#define MIEN_INLINE static inline __attribute__((always_inline))

/* Four numbers at once: what is known at a pixel is three channels and one more. */
typedef float Four __attribute__((vector_size(16)));
typedef int32_t FourWhole __attribute__((vector_size(16)));
typedef uint32_t FourBits __attribute__((vector_size(16)));
typedef uint64_t TwoBits __attribute__((vector_size(16)));
typedef uint8_t Bytes __attribute__((vector_size(16)));

/* A picture of three bytes a pixel. `last` is its last pixel, behind which nothing may be read; before `pairs_end` two
 * pixels beside each other and the two below them may be read eight bytes at a time. Places are kept within `right` and
 * `bottom`, a hair inside the last column and row, so that there always is a next one. */
typedef struct {
    const uint8_t *rows, *last, *pairs_end;
    ptrdiff_t stride;
    int width, height;
    float right, bottom;
} Picture;

MIEN_INLINE float hair_below(int whole)
{
    return (float)whole * (1 - 1.0f / (1 << 23));
}

MIEN_INLINE Picture picture(const uint8_t *rows, ptrdiff_t stride, int width, int height)
{
    const uint8_t *last = rows + (height - 1) * stride + 3 * (ptrdiff_t)(width - 1);
    Picture made = {rows, last, rows, stride, width, height, hair_below(width - 1), hair_below(height - 1)};
    if (width > 1 && height > 1)
        made.pairs_end = last - stride - 5;
    return made;
}

MIEN_INLINE Four all(float value)
{
    Four four = {value, value, value, value};
    return four;
}

/* The fourth number is without meaning. */
MIEN_INLINE Four pixel(const Picture *from, const uint8_t *at)
{
    uint32_t bytes = 0;
    if (at == from->last)
        memcpy(&bytes, at, 3);
    else
        memcpy(&bytes, at, 4);
    const FourBits spread = {0, 8, 16, 24}, byte = {255, 255, 255, 255};
    FourBits each = {bytes, bytes, bytes, bytes};
    return __builtin_convertvector((FourWhole)(each >> spread & byte), Four);
}

/* Round and write three bytes; `four` must lie within 0 to 255. */
MIEN_INLINE void put(uint8_t *at, Four four)
{
    Bytes bytes = (Bytes)__builtin_convertvector(four + all(0.5f), FourWhole);
    bytes = __builtin_shufflevector(bytes, bytes, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
    memcpy(at, &bytes, 3);
}

/* Between 0 and `most`; what is no number becomes `most`. */
MIEN_INLINE float within(float value, float most)
{
    value = value < most ? value : most;
    return value > 0 ? value : 0;
}

/* Where a place lies between two neighbours, of which the second may be the first where there is only one. */
typedef struct {
    int first, step;
    float share;
} Between;

MIEN_INLINE Between between(float place, int count)
{
    place = within(place, (float)(count - 1));
    int first = (int)place;
    if (first > count - 2)
        first = count > 1 ? count - 2 : 0;
    Between found = {first, count > 1, place - (float)first};
    return found;
}

/* Two pixels beside each other; the fourth number of each is 0. */
typedef struct {
    Four left, right;
} Pair;

MIEN_INLINE Pair pair(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, 8);
    TwoBits both = {word, 0};
    Bytes bytes = (Bytes)both;
    FourWhole left = (FourWhole)__builtin_shufflevector(bytes, bytes, 0, 8, 8, 8, 1, 8, 8, 8, 2, 8, 8, 8, 8, 8, 8, 8);
    FourWhole right = (FourWhole)__builtin_shufflevector(bytes, bytes, 3, 8, 8, 8, 4, 8, 8, 8, 5, 8, 8, 8, 8, 8, 8, 8);
    Pair found = {__builtin_convertvector(left, Four), __builtin_convertvector(right, Four)};
    return found;
}

/* Bilinear; beyond its edges a picture goes on as it ends. */
MIEN_INLINE Four sampled(const Picture *from, float x, float y)
{
    x = within(x, from->right);
    y = within(y, from->bottom);
    int column = (int)x, row = (int)y;
    float across = x - (float)column, down = y - (float)row;
    const uint8_t *at = from->rows + row * from->stride + 3 * (ptrdiff_t)column;
    Pair upper, lower;
    if (at < from->pairs_end) {
        upper = pair(at);
        lower = pair(at + from->stride);
    } else { /* a pair would be read beyond the picture's end */
        ptrdiff_t right = column + 1 < from->width ? 3 : 0, below = row + 1 < from->height ? from->stride : 0;
        upper.left = pixel(from, at);
        upper.right = pixel(from, at + right);
        lower.left = pixel(from, at + below);
        lower.right = pixel(from, at + below + right);
    }
    upper.left += all(down) * (lower.left - upper.left);
    upper.right += all(down) * (lower.right - upper.right);
    return upper.left + all(across) * (upper.right - upper.left);
}

#endif
