/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

/*
 * The library's decoder with buffers that a short script fills: so it gets to their edges. Large
 * ones, which the sanitizer maps and unmaps each time, take a good part of a session. A payload
 * that is large enough for a mapping of its own would be too large to make here.
 *
 * To be linked before the library, whose own file is left out then.
 */

#define BUFFER_SIZE ((gsize) 4096)
#define GATHER_MAX ((gsize) 1024)
#define FIRST_BLOCK_SIZE ((gsize) 8192)
#define MAPPED_MIN ((gsize) 24 * 1024)

#include "dray-decoder.c"
