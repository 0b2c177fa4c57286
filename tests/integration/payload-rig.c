/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "payload-rig.h"

#include <string.h>

void
payload_start (Rig *rig, PayloadWay way)
{
  const char *const prefix[] = { "env", "FOO=bar", NULL };
  const char *const closing_prefix[] = { "sh", "-c", "exec 3<&-; exec \"$@\"", "sh", NULL };
  DrayLauncher *launcher = rig_new_launcher (NULL);

  dray_launcher_set_shared_size (launcher, PAYLOAD_SHARED_SIZE);
  dray_launcher_set_trusted (launcher, way == PAYLOAD_TRUSTED);
  if (way == PAYLOAD_PREFIXED)
    dray_launcher_set_prefix (launcher, prefix);
  if (way == PAYLOAD_CLOSED)
    dray_launcher_set_prefix (launcher, closing_prefix);
  rig_start_with (rig, launcher, 1);
}

static gsize
get_size (GVariant *value)
{
  g_assert_true (g_variant_is_of_type (value, G_VARIANT_TYPE_BYTESTRING));
  return g_variant_get_size (value);
}

void
payload_check_bytes (GVariant *value, gsize size, guint8 seed)
{
  const guint8 *bytes = g_variant_get_data (value);
  guint8 pattern[256 * 16];

  g_assert_cmpuint (get_size (value), ==, size);
  for (guint i = 0; i < sizeof pattern; i++)
    pattern[i] = (guint8) (i + seed);
  for (gsize i = 0; i < size; i += sizeof pattern)
    g_assert_cmpint (memcmp (bytes + i, pattern, MIN (sizeof pattern, size - i)), ==, 0);
}

gboolean
payload_is_shared (GVariant *value)
{
  const guint64 address = (guint64) (guintptr) g_variant_get_data (value);
  g_autofree char *maps = NULL;
  g_auto (GStrv) lines = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  lines = g_strsplit (maps, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      char *end;
      guint64 first = g_ascii_strtoull (lines[i], &end, 16);
      guint64 last = *end == '-' ? g_ascii_strtoull (end + 1, NULL, 16) : 0;

      if (address >= first && address < last)
        return strstr (lines[i], "memfd:dray") != NULL;
    }
  return FALSE;
}
