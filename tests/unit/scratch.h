// SPDX-License-Identifier: Apache-2.0
// A folder of its own for a test that needs files.
#ifndef ABACUS_TESTS_SCRATCH_H
#define ABACUS_TESTS_SCRATCH_H

#include "unit.h"

#include "base/base.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// Owned by the caller, end with scratch_remove.
static inline char *scratch_create(void)
{
    const char *parent = getenv("TMPDIR");
    char *folder = xasprintf("%s/abacus-test-XXXXXX", parent == NULL ? "/tmp" : parent);
    EXPECT(mkdtemp(folder) != NULL, "cannot make %s", folder);
    return folder;
}

static inline int scratch_remove_one(const char *path, const struct stat *info, int type,
                                     struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static inline void scratch_remove(char *folder)
{
    nftw(folder, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

#endif
