// SPDX-License-Identifier: Apache-2.0
// What every fuzz target shares. A target feeds bytes from a stranger to one parser and CHECKs what
// must hold whatever they are; the sanitizers see to the rest.
#ifndef ABACUS_TESTS_FUZZ_H
#define ABACUS_TESTS_FUZZ_H

#include "base/base.h"

#include <string.h>

// Called by libFuzzer with each input; always returns 0.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Cuts the next line off the input, for parsers that take several texts. The line is borrowed,
// without its line feed and not terminated.
struct fuzz_input {
    const uint8_t *at, *end;
};

struct fuzz_text {
    const char *text;
    size_t length;
};

static inline struct fuzz_text fuzz_line(struct fuzz_input *input)
{
    const size_t left = (size_t)(input->end - input->at);
    const uint8_t *line = input->at;
    const uint8_t *feed = left > 0 ? memchr(line, '\n', left) : NULL;
    const size_t length = feed != NULL ? (size_t)(feed - line) : left;
    input->at = feed != NULL ? feed + 1 : input->end;
    return (struct fuzz_text){(const char *)line, length};
}

#endif
