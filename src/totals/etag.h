// SPDX-License-Identifier: Apache-2.0
// Entity tags: whether a client already has what we would send (RFC 9110 §8.8.3, §13.1.2). Pure.
#ifndef ABACUS_TOTALS_ETAG_H
#define ABACUS_TOTALS_ETAG_H

#include "base/base.h"

// if_none_match: the field's value, "*" or a list of tags. etag: ours, with its quotes, strong.
// Compared weakly (§8.8.3.2): W/"a" is "a". A list is believed up to its first mistake.
bool etag_matches(const char *if_none_match, const char *etag);

#endif
