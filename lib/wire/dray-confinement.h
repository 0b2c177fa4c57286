/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The confinement: what the launch helper tells the host of the sandbox that it has put around a
 * worker. It is the first frame on the channel, before the worker's own hello, and is written when
 * the worker's program has not been executed yet: nobody can have written it but the helper.
 *
 * This is plain C, since the helper is.
 */

#include <stdint.h>

/* What a sandbox is made of, and (the last) what runs in it. */
enum
{
  DRAY_LAYER_NAMESPACES,
  DRAY_LAYER_LANDLOCK,
  DRAY_LAYER_SECCOMP,
  DRAY_LAYER_PROGRAM,
  DRAY_N_LAYERS,
};

/* Why a layer is missing. */
enum
{
  DRAY_LACK_NONE,
  DRAY_LACK_ERRNO,    /* the system has refused it */
  DRAY_LACK_MISSING,  /* bubblewrap can't be executed; an errno */
  DRAY_LACK_ENDED,    /* bubblewrap has ended before it had done its work; a wait status */
  DRAY_LACK_NOT_BUILT, /* the library was built without it */
};

/* The payload, in the byte order of the machine. */
typedef struct
{
  uint32_t in_force; /* 1 << a layer, for each that is */
  uint32_t started;  /* whether a worker follows */
  uint32_t lacks[DRAY_N_LAYERS];
  int32_t errors[DRAY_N_LAYERS];
} DrayConfinement;

/* The header of a frame, for the helper; what it means is told in dray-frame.h. */
typedef struct
{
  uint32_t magic;
  uint8_t version;
  uint8_t type;
  uint16_t flags;
  uint64_t task_id;
  uint32_t attempt;
  uint32_t length;
  DrayConfinement confinement;
} DrayConfinementFrame;

#define DRAY_CONFINEMENT_MAGIC 0x59415244u
#define DRAY_CONFINEMENT_VERSION 1
#define DRAY_CONFINEMENT_TYPE 14
