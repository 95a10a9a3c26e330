// SPDX-License-Identifier: Apache-2.0
#include "store/usage.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static int64_t size_of(const char *path)
{
    struct stat file;
    return stat(path, &file) == 0 ? (int64_t)file.st_size : 0;
}

static int64_t wal_size_of(const char *path)
{
    char *wal = xasprintf("%s-wal", path);
    const int64_t bytes = size_of(wal);
    free(wal);
    return bytes;
}

bool store_usage(const char *path, struct store_usage *out)
{
    struct statvfs disk;
    if (statvfs(path, &disk) != 0)
        return false;
    *out = (struct store_usage){
        .file_bytes = size_of(path),
        .wal_bytes = wal_size_of(path),
        .disk_free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize,
        .disk_size_bytes = (int64_t)disk.f_blocks * (int64_t)disk.f_frsize,
    };
    return true;
}
