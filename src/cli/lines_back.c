// SPDX-License-Identifier: Apache-2.0
#include "cli/lines_back.h"

#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES ((size_t)256 * 1024)

// The file [ not read yet: offset ][ held: the beginning of a line … ][ given ]
struct reader {
    int fd;
    size_t offset;
    struct bytes held;
    bool whole; // what is held ends where a line ended
};

// Puts the block before what is held in front of it.
static bool read_block(struct reader *r, struct err *err)
{
    const size_t block = r->offset < BLOCK_BYTES ? r->offset : BLOCK_BYTES;
    (void)bytes_reserve(&r->held, block);
    memmove(r->held.data + block, r->held.data, r->held.length);
    r->held.length += block;
    r->offset -= block;
    for (size_t done = 0; done < block;) {
        const ssize_t n =
            pread(r->fd, r->held.data + done, block - done, (off_t)(r->offset + done));
        if (n == 0 || (n < 0 && errno != EINTR))
            return err_set(err, ERR_UNAVAILABLE, "%s", n == 0 ? "it shrinks" : strerror(errno));
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

// Gives every line that is held whole. False: enough.
static bool give_lines(struct reader *r, bool (*on_line)(const char *, size_t, void *), void *ctx)
{
    const uint8_t *end;
    while ((end = memrchr(r->held.data, '\n', r->held.length)) != NULL) {
        const char *line = (const char *)end + 1;
        const size_t length = (size_t)((const char *)r->held.data + r->held.length - line);
        const bool whole = r->whole;
        r->held.length = (size_t)(end - r->held.data);
        r->whole = true;
        if (whole && !on_line(line, length, ctx))
            return false;
    }
    return true;
}

static bool read_back(struct reader *r, bool (*on_line)(const char *, size_t, void *), void *ctx,
                      struct err *err)
{
    while (r->offset > 0) {
        if (r->held.length > LINES_BACK_LINE_MAX)
            return err_set(err, ERR_CORRUPT, "a line is longer than %zu bytes",
                           LINES_BACK_LINE_MAX);
        if (!read_block(r, err))
            return false;
        if (!give_lines(r, on_line, ctx))
            return true;
    }
    if (r->whole)
        (void)on_line((const char *)r->held.data, r->held.length, ctx);
    return true;
}

bool lines_back(const char *path, bool (*on_line)(const char *line, size_t n, void *ctx), void *ctx,
                struct err *err)
{
    struct reader r = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    struct stat info;
    if (r.fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "%s: %s", path,
                       strerror(errno));
    bool ok = fstat(r.fd, &info) == 0 && S_ISREG(info.st_mode);
    if (!ok) {
        err_set(err, ERR_UNAVAILABLE, "%s: not a file", path);
    } else {
        r.offset = (size_t)info.st_size;
        ok = read_back(&r, on_line, ctx, err) || err_prefix(err, "%s", path);
    }
    bytes_clear(&r.held);
    close(r.fd);
    return ok;
}
