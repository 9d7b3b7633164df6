/* What the compiled kernels offer. cffi reads these declarations as they stand, so there are no macros here.
 *
 * Pictures are rows of bytes: `stride` is the distance of two rows in bytes. No kernel keeps a pointer, allocates,
 * or reads outside of what its arguments say; callers check shapes first. */

/* Which text of these declarations the library was built of: with another one it is not used. */
int mien_interface(void);

/* --- rasteriser.c; see mien/vision/mesh -------------------------------------------------------------------------- */

/* Draw triangles. `points` are x, y and z of each vertex, smaller z is nearer; `values` are three more numbers each.
 * `drawn` is height x width x 4: the values run straight from corner to corner, and z; 0 and infinity where there is
 * no triangle. One with a vertex that does not exist is left out. */
void mien_rasterise(const float *points, const float *values, int vertices, const int32_t *triangles, int count,
                    float *drawn, int width, int height);

/* Normals of length 1 of the vertices of a mesh, vertices x 3. */
void mien_normals(const float *points, int vertices, const int32_t *triangles, int count, float *normals);

/* --- meshes.c; see mien/vision/mesh ------------------------------------------------------------------------------ */

/* Draw values known at vertices into a flat texture of which each texel lies between three of them: out is texels x 4.
 * The corners must exist. */
void mien_flatten(const float *values, const int32_t *corners, const float *weights, int texels, float *drawn);

/* Add two rings of points around an oval to vertices of `width` numbers each: `near` and `far` are how far beyond it
 * they lie, as shares of the way from the middle. `oval` must name vertices. */
void mien_outer_rings(const float *vertices, int count, int width, const int64_t *oval, int ring, float near,
                      float far, float *out);

/* The smallest x and y of points of `width` numbers, at least two, and the largest; no number where one of them is none.
 * There must be a point. */
void mien_bounds(const float *points, int count, int width, float *bounds);

/* The similarity (2 x 3) that best carries some points, x and y each, onto others; 0 where all points coincide. */
int mien_similarity(const float *from, const float *to, int count, float *way);

/* --- eyes.c; see mien/vision/swap/photo_eyes.py ------------------------------------------------------------------ */

/* Lay an iris over the white of its eye, in a light: red, green, blue, and where the iris is. `move` leads from the
 * iris's own place to where it looks. */
void mien_compose_eye(const float *white, const float *iris, int width, int height, const float *move,
                      const float *gain, float *composed);

/* Draw a composed eye into a face, in place. `way` leads from a pixel of the face to the eye's picture (2 x 3);
 * `glints` are what shines in the live eye, `soft` is how much of the face is eye, `shade` how bright that is. */
void mien_draw_eye(const float *eye, int eye_width, int eye_height, const float *way, const uint8_t *glints,
                   const float *soft, const float *shade, int width, int height, uint8_t *face, ptrdiff_t stride);

/* --- textures.c; see mien/vision/swap; colours are three bytes a pixel ------------------------------------------- */

/* Read an image at `count` places, of which `places` holds x, y and two more numbers each. */
void mien_sample(const uint8_t *image, ptrdiff_t stride, int width, int height, const float *places, int count,
                 uint8_t *out);

/* Lay a square texture of four bytes a texel, the last its matte, on what was drawn: u, v and how much of it is shown.
 * `drawn` loses its depth. `alpha` is how much of each pixel `face` hides, its edge smooth. A side has two texels or
 * more. */
void mien_lay(const uint8_t *texture, int side, float *drawn, int width, int height, uint8_t *face,
              ptrdiff_t face_stride, float *alpha, ptrdiff_t alpha_stride);

/* Write `face` over `under`, whose rows alone are `stride` apart, by `alpha`. */
void mien_blend(const uint8_t *face, const uint8_t *under, ptrdiff_t stride, const float *alpha, int width, int height,
                uint8_t *out);

/* Move an image's pixels: each is read where `moves` says, x, y and two more numbers for every `step` pixels. */
void mien_move(const uint8_t *image, ptrdiff_t stride, int width, int height, const float *moves, int step,
               uint8_t *out);

/* Multiply a texture's detail, height x length, with light that is stretched over `rows` rows; take off an offset. */
void mien_light(const float *detail, const float *lamp, int rows, int length, int height, float offset, uint8_t *out);

/* Multiply a texture with a gain and add a gloss, both stretched over `rows` rows. */
void mien_shine(const uint8_t *texture, const float *gain, const float *glow, int rows, int length, int height,
                uint8_t *out);

/* Take an image of `count` pixels apart into its three channels, times `scale`, plus `offset`. */
void mien_planes(const uint8_t *image, int count, float scale, float offset, float *out);

/* How much each of `count` pixels in CIELAB, as bytes, is like skin whose middle and spread are given: 0 to 1. */
void mien_skin(const uint8_t *lab, int count, const float *middle, const float *spread, float *out);

/* --- packets.c; see mien/media/webrtc/aiortc_internals/srtp_writer.py -------------------------------------------- */

/* The way out to one far end. `segments` says whether one send may be cut into packets, and is cleared where the system
 * refuses that. `refused` counts packets that were not taken. `address` is in network order, `port` in the machine's. */
struct mien_line {
    void *srtp;
    uint8_t address[16];
    uint32_t refused;
    uint16_t port;
    uint8_t is_ipv6;
    uint8_t segments;
};

/* What one line's packets of a slice have of their own. */
struct mien_letter {
    struct mien_line *line;
    uint32_t timestamp, ssrc;
    int32_t socket;
    uint16_t sequence, picture_id;
};

/* Packets as all lines get them: `places` holds where in `data` each begins and how long it is, and `tag` bytes of room
 * follow it. At `picture_id_at` of each is its picture id; 0 for nowhere. */
struct mien_slice {
    const uint8_t *data;
    const int32_t *places;
    int32_t size, count, tag, picture_id_at;
};

/* Copy a slice for each letter into `room`, write its numbers, protect it with libsrtp's `srtp_protect` and send it.
 * Never waits for a socket. Returns 0, or -1 where the slice is not as described or larger than the room; then nothing
 * is sent. */
int mien_send(void *protect, const struct mien_slice *slice, const struct mien_letter *letters, int32_t count,
              uint8_t *room, int32_t room_size);
