/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "content.h"

#include <string.h>

/* Types that libarchive looks into, with all that derive from them: compressed tars from gzip, Java
 * and office files from zip. */
static const char *const archive_types[] = {
  "application/zip",
  "application/gzip",
  "application/x-tar",
  "application/x-xz",
  "application/x-bzip",
  "application/x-bzip2",
  "application/zstd",
  "application/x-lzma",
  "application/x-7z-compressed",
  "application/x-cpio",
  "application/x-archive",
  "application/x-rpm",
  "application/vnd.debian.binary-package",
  "application/vnd.ms-cab-compressed",
  "application/vnd.rar",
  "application/x-lha",
  "application/x-cd-image",
};

static gboolean
is_archive (const char *mime_type)
{
  for (gsize i = 0; i < G_N_ELEMENTS (archive_types); i++)
    {
      if (g_content_type_is_a (mime_type, archive_types[i]))
        return TRUE;
    }
  return FALSE;
}

static DemoKind
kind_of (const char *mime_type)
{
  if (g_str_has_prefix (mime_type, "image/"))
    return DEMO_KIND_IMAGE;
  if (g_str_has_prefix (mime_type, "audio/"))
    return DEMO_KIND_AUDIO;
  if (g_str_has_prefix (mime_type, "video/"))
    return DEMO_KIND_VIDEO;
  if (g_str_has_prefix (mime_type, "font/") || g_str_has_prefix (mime_type, "application/x-font"))
    return DEMO_KIND_FONT;
  if (g_content_type_is_a (mime_type, "text/plain") || g_str_has_prefix (mime_type, "text/"))
    return DEMO_KIND_TEXT;
  if (is_archive (mime_type))
    return DEMO_KIND_ARCHIVE;
  if (g_content_type_is_a (mime_type, "application/pdf")
      || g_content_type_is_a (mime_type, "application/postscript"))
    return DEMO_KIND_DOCUMENT;
  return DEMO_KIND_OTHER;
}

/* (transfer full): what a type is called, which may have been a user's idea */
static char *
dup_description (const char *mime_type)
{
  char *description = g_content_type_get_description (mime_type);

  if (strlen (description) > DEMO_MAX_NAME)
    *g_utf8_find_prev_char (description, description + DEMO_MAX_NAME + 1) = '\0';
  return description;
}

const DemoContentType *
demo_content_type_get (const char *mime_type)
{
  static GMutex mutex;
  static GHashTable *types; /* protected by the mutex; (owned) char * -> (owned) DemoContentType */
  DemoContentType *type;

  g_mutex_lock (&mutex);
  if (types == NULL)
    types = g_hash_table_new (g_str_hash, g_str_equal);
  type = g_hash_table_lookup (types, mime_type);
  if (type == NULL)
    {
      type = g_new0 (DemoContentType, 1);
      type->mime_type = g_strdup (mime_type);
      type->description = dup_description (mime_type);
      type->kind = kind_of (mime_type);
      g_hash_table_insert (types, (char *) type->mime_type, type);
    }
  g_mutex_unlock (&mutex);
  return type;
}
