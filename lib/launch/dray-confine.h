/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * Confining this process: what the presets mean to the kernel. Everything here holds for the
 * calling thread from the moment in which it returns, over exec, for ever.
 */

#include "dray-confinement.h"

typedef enum
{
  PRESET_NO_NETWORK,
  PRESET_READ_ONLY,
  PRESET_STRICT,
} Preset;

/* The layers that a preset is made of, as in DrayConfinement.in_force. */
uint32_t preset_get_layers (Preset preset);

/* Rules are texts of the form KIND:PATH, with these kinds. Each holds for the file, or for all that
 * is in the folder; one that does not exist is skipped. */
#define RULE_READ 'r'
#define RULE_WRITE 'w' /* and read */
#define RULE_EXECUTE 'x'
/* The same, where namespaces have made it the worker's own. */
#define RULE_PRIVATE_READ 'R'
#define RULE_PRIVATE_WRITE 'W'

/* Each returns 0 or an errno. @bare: there are no namespaces around this process. */
int confine_files (Preset preset, int bare, char *const *rules, int n_rules);
int confine_calls (Preset preset, int bare);

/* Whether confine_files() keeps signals in as well. */
int can_confine_signals (void);
/* Whether it keeps files from being shortened, as it does from being written to. */
int can_confine_shortening (void);
/* Whether confine_calls() was built. */
int can_confine_calls (void);
