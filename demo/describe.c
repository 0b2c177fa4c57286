/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "describe.h"

#include <dray.h>
#include <glib/gi18n.h>
#include <string.h>

#include "reader/reader.h"

char *
demo_format_number (guint64 number)
{
  return g_strdup_printf ("%'" G_GUINT64_FORMAT, number);
}

unsigned long
demo_plural (guint64 number)
{
  return number > 1000000 ? (unsigned long) (number % 1000000) + 1000000 : (unsigned long) number;
}

char *
demo_describe_folder (const DemoFile *file)
{
  g_autofree char *folder = NULL;

  if (file->name_offset == 0)
    return g_strdup ("");
  folder = g_strndup (file->path, file->name_offset - 1);
  return g_filename_display_name (folder);
}

char *
demo_describe_lines (guint64 lines)
{
  g_autofree char *number = demo_format_number (lines);

  return g_strdup_printf (ngettext ("%s line", "%s lines", demo_plural (lines)), number);
}

char *
demo_describe_entries (guint64 entries)
{
  g_autofree char *number = demo_format_number (entries);

  return g_strdup_printf (ngettext ("%s entry", "%s entries", demo_plural (entries)), number);
}

char *
demo_describe_dimensions (guint width, guint height)
{
  /* Translators: width and height of a picture in pixels */
  return g_strdup_printf (_ ("%u × %u"), width, height);
}

char *
demo_describe_contents (const DemoFile *file)
{
  if (file->type == NULL)
    return g_strdup (file->facts.failed.reason);
  if (file->type->kind == DEMO_KIND_TEXT && file->facts.text.encoding != NULL)
    {
      g_autofree char *lines = demo_describe_lines (file->facts.text.lines);

      /* Translators: number of lines, encoding, as in “12 lines, UTF-8” */
      return g_strdup_printf (_ ("%s, %s"), lines, file->facts.text.encoding);
    }
  if (file->type->kind == DEMO_KIND_IMAGE && file->facts.picture.width > 0)
    return demo_describe_dimensions (file->facts.picture.width, file->facts.picture.height);
  if (file->type->kind == DEMO_KIND_ARCHIVE)
    return demo_describe_entries (file->facts.entries);
  return NULL;
}

char *
demo_describe_size (guint64 size)
{
  return g_format_size_full (size, G_FORMAT_SIZE_LONG_FORMAT);
}

char *
demo_describe_time (gint64 modified)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_local (modified);

  if (time == NULL)
    return g_strdup (_ ("Unknown"));
  /* Translators: date and time of a file’s last change, see g_date_time_format() */
  return g_date_time_format (time, _ ("%-d %B %Y, %H:%M"));
}

char *
demo_describe_sha256 (const guint8 *sha256)
{
  GString *text = g_string_sized_new (2 * DEMO_SHA256_SIZE);

  for (guint i = 0; i < DEMO_SHA256_SIZE; i++)
    g_string_append_printf (text, "%02x", sha256[i]);
  return g_string_free (text, FALSE);
}

char *
demo_describe_time_left (double seconds)
{
  if (seconds < 1)
    return g_strdup (_ ("less than a second left"));
  if (seconds < 90)
    return g_strdup_printf (
      ngettext ("about %u second left", "about %u seconds left", (unsigned long) seconds),
      (guint) seconds);
  return g_strdup_printf (
    ngettext ("about %u minute left", "about %u minutes left", (unsigned long) (seconds / 60)),
    (guint) (seconds / 60));
}

static const char *
describe_dray_error (int code)
{
  switch ((DrayError) code)
    {
    case DRAY_ERROR_WORKER_DIED:
      return _ ("The worker died");
    case DRAY_ERROR_TIMED_OUT:
      return _ ("It took too long");
    case DRAY_ERROR_LAUNCH:
      return _ ("No worker could be started");
    case DRAY_ERROR_PROTOCOL:
      return _ ("The worker did not make sense");
    case DRAY_ERROR_TOO_LARGE:
      return _ ("The answer was too large");
    case DRAY_ERROR_FAILED:
    case DRAY_ERROR_UNKNOWN_FUNCTION:
    case DRAY_ERROR_BAD_ARGUMENTS:
    case DRAY_ERROR_QUEUE_FULL:
    case DRAY_ERROR_SHUT_DOWN:
    case DRAY_ERROR_INVALID_TEXT:
    default:
      return _ ("Other");
    }
}

static const char *
describe_reader_error (int code)
{
  switch ((DemoReaderError) code)
    {
    case DEMO_READER_ERROR_BROKEN_LINK:
      return _ ("Broken link");
    case DEMO_READER_ERROR_SPECIAL_FILE:
      return _ ("Not a regular file");
    case DEMO_READER_ERROR_BAD_IMAGE:
      return _ ("Not a valid picture");
    case DEMO_READER_ERROR_BAD_ARCHIVE:
      return _ ("Not a valid archive");
    case DEMO_READER_ERROR_FOLDER:
      return _ ("Folder that could not be listed");
    default:
      return _ ("Other");
    }
}

const char *
demo_describe_reason (const GError *error)
{
  if (error->domain == DRAY_ERROR)
    return describe_dray_error (error->code);
  if (error->domain == DEMO_READER_ERROR)
    return describe_reader_error (error->code);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED))
    return _ ("Permission denied");
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return _ ("No longer there");
  return _ ("Other");
}

char *
demo_describe_problem (const GError *error)
{
  static const char ellipsis[] = "…";
  char *problem = g_utf8_make_valid (error->message, -1);
  char *end;

  if (strlen (problem) > DEMO_MAX_PROBLEM)
    {
      /* The last character that begins where there is still room for this. */
      end = g_utf8_find_prev_char (problem, problem + DEMO_MAX_PROBLEM + 2 - sizeof ellipsis);
      memcpy (end, ellipsis, sizeof ellipsis);
    }
  return problem;
}
