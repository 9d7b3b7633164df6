/* One slice of a frame to many viewers: numbered, protected and sent without a word of Python. */

#if defined(__linux__)
#define _GNU_SOURCE
#elif defined(__APPLE__)
#define _DARWIN_C_SOURCE
#endif

#include <string.h>

#include "common.h"

struct mien_slice;
struct mien_letter;

/* Before `kernels.h`, which says nothing of what a library exports. */
MIEN_EXPORT int mien_send(void *protect, const struct mien_slice *slice, const struct mien_letter *letters,
                          int32_t count, uint8_t *room, int32_t room_size);

#include "kernels.h"

#if defined(_WIN32)

int mien_send(void *protect, const struct mien_slice *slice, const struct mien_letter *letters, int32_t count,
              uint8_t *room, int32_t room_size)
{
    (void)protect, (void)slice, (void)letters, (void)count, (void)room, (void)room_size;
    return -1; /* its callers take the slower path there */
}

#else

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { HEADER = 12, SEQUENCE_AT = 2, TIMESTAMP_AT = 4, SSRC_AT = 8 };

typedef int (*Protect)(void *session, void *packet, int *length);

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} Address;

static socklen_t address_of(const struct mien_line *line, Address *address)
{
    memset(address, 0, sizeof *address);
    if (line->is_ipv6) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons(line->port);
        memcpy(&address->v6.sin6_addr, line->address, 16);
        return sizeof address->v6;
    }
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons(line->port);
    memcpy(&address->v4.sin_addr, line->address, 4);
    return sizeof address->v4;
}

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, (uint16_t)(value >> 16));
    put16(at + 2, (uint16_t)value);
}

/* Returns 0, or why it was not taken. */
static int send_some(int socket, Address *address, socklen_t address_size, uint8_t *data, size_t size, uint16_t step)
{
    struct iovec piece = {data, size};
    struct msghdr message = {.msg_name = address, .msg_namelen = address_size, .msg_iov = &piece, .msg_iovlen = 1};
#if defined(__linux__)
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
    } order;
    if (step) {
        memset(&order, 0, sizeof order);
        message.msg_control = order.bytes;
        message.msg_controllen = sizeof order.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = 17; /* SOL_UDP, UDP_SEGMENT: older headers lack them */
        header->cmsg_type = 103;
        header->cmsg_len = CMSG_LEN(sizeof step);
        memcpy(CMSG_DATA(header), &step, sizeof step);
    }
#else
    (void)step;
#endif
    for (;;) {
        if (sendmsg(socket, &message, MSG_DONTWAIT) >= 0)
            return 0;
        if (errno != EINTR)
            return errno;
    }
}

/* How systems, drivers and narrow paths refuse to cut one send into packets. */
static int is_about_segments(int error)
{
    return error == EIO || error == EINVAL || error == EMSGSIZE || error == ENOPROTOOPT || error == EOPNOTSUPP;
}

/* The packet after the last that one send takes: those of one size, and a shorter one to end with. */
static int32_t run_end(const struct mien_slice *slice, int32_t first)
{
    const int32_t *places = slice->places;
    int32_t last = first, length = places[2 * first + 1];
    while (last + 1 < slice->count && places[2 * last + 1] == length && places[2 * last + 3] <= length)
        last++;
    return last + 1;
}

static void send_packets(const struct mien_slice *slice, const struct mien_letter *letter, uint8_t *room)
{
    struct mien_line *line = letter->line;
    Address address;
    socklen_t address_size = address_of(line, &address);
    for (int32_t first = 0, end; first < slice->count; first = end) {
        end = line->segments ? run_end(slice, first) : first + 1;
        const int32_t *from = slice->places + 2 * first, *last = slice->places + 2 * (end - 1);
        int32_t size = last[0] + last[1] + slice->tag - from[0];
        uint16_t step = end - first > 1 ? (uint16_t)(from[1] + slice->tag) : 0;
        int error = send_some(letter->socket, &address, address_size, room + from[0], (size_t)size, step);
        if (step && is_about_segments(error)) {
            line->segments = 0;
            end = first; /* again, one by one */
        } else if (error) {
            line->refused += (uint32_t)(end - first);
        }
    }
}

/* Whether all that is written and sent lies in the slice: packets in order, one right after the other's tag. */
static int is_sound(const struct mien_slice *slice)
{
    int64_t at = 0;
    if (slice->count < 1 || slice->tag < 0 || slice->picture_id_at < 0)
        return 0;
    for (int32_t number = 0; number < slice->count; number++) {
        int64_t length = slice->places[2 * number + 1];
        if (slice->places[2 * number] != at || length < HEADER || length + slice->tag > UINT16_MAX)
            return 0;
        if (slice->picture_id_at && slice->picture_id_at + 2 > length)
            return 0;
        at += length + slice->tag;
    }
    return at == slice->size;
}

int mien_send(void *protect, const struct mien_slice *slice, const struct mien_letter *letters, int32_t count,
              uint8_t *room, int32_t room_size)
{
    Protect protect_packet;
    memcpy(&protect_packet, &protect, sizeof protect_packet);
    if (!is_sound(slice) || slice->size > room_size)
        return -1;
    for (const struct mien_letter *letter = letters; letter < letters + count; letter++) {
        memcpy(room, slice->data, (size_t)slice->size);
        int failed = 0;
        for (int32_t number = 0; number < slice->count && !failed; number++) {
            uint8_t *packet = room + slice->places[2 * number];
            int length = slice->places[2 * number + 1], whole = length + slice->tag;
            put16(packet + SEQUENCE_AT, (uint16_t)(letter->sequence + number));
            put32(packet + TIMESTAMP_AT, letter->timestamp);
            put32(packet + SSRC_AT, letter->ssrc);
            if (slice->picture_id_at)
                put16(packet + slice->picture_id_at, 0x8000 | letter->picture_id);
            failed = protect_packet(letter->line->srtp, packet, &length) || length != whole;
        }
        if (failed)
            letter->line->refused += (uint32_t)slice->count;
        else
            send_packets(slice, letter, room);
    }
    return 0;
}

#endif
