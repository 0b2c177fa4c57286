/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "soak.h"

/* What happens now and then, and which of several. */

gboolean
soak_chance (GRand *rand, double percent)
{
  return g_rand_double_range (rand, 0, 100) < percent;
}

static guint
get_weight (const guint *weights, gsize distance, guint place)
{
  return *(const guint *) (const void *) ((const char *) weights + place * distance);
}

guint
soak_pick_by_weight (GRand *rand, const guint *weights, gsize distance, guint n)
{
  guint sum = 0, place = 0, left;

  for (guint i = 0; i < n; i++)
    sum += get_weight (weights, distance, i);

  left = (guint) g_rand_int_range (rand, 0, (gint32) sum);
  while (left >= get_weight (weights, distance, place))
    left -= get_weight (weights, distance, place++);

  return place;
}
