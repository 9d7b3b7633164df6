/* What the compiled kernels offer. cffi reads these declarations as they stand, so there are no macros here.
 *
 * Pictures are rows of bytes: `stride` is the distance of two rows in bytes. No kernel keeps a pointer, allocates,
 * or reads outside of what its arguments say; callers check shapes first. */

/* Counts up whenever a declaration changes: a library built of older sources is not used. */
int mien_interface(void);

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
