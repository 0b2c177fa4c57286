/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "paths.h"

#define READER "dray-demo-reader"

/* (nullable): the folder of this program if the reader is beside it though it is not installed
 * there, which is so nowhere but in the folder that both were built in */
static char *
dup_build_folder (void)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = program != NULL ? g_path_get_dirname (program) : NULL;
  g_autofree char *reader = folder != NULL ? g_build_filename (folder, READER, NULL) : NULL;

  if (reader == NULL || g_str_equal (folder, DRAY_LIBEXECDIR)
      || !g_file_test (reader, G_FILE_TEST_IS_EXECUTABLE))
    return NULL;
  return g_steal_pointer (&folder);
}

char *
demo_dup_reader_program (void)
{
  const char *folder = g_getenv ("DRAY_DEMO_LIBEXECDIR");
  g_autofree char *build_folder = NULL;

  if (folder != NULL && *folder != '\0')
    return g_build_filename (folder, READER, NULL);

  build_folder = dup_build_folder ();
  return g_build_filename (build_folder != NULL ? build_folder : DRAY_LIBEXECDIR, READER, NULL);
}

char *
demo_dup_locale_dir (void)
{
  const char *folder = g_getenv ("DRAY_DEMO_LOCALEDIR");
  g_autofree char *build_folder = NULL;

  if (folder != NULL && *folder != '\0')
    return g_strdup (folder);

  build_folder = dup_build_folder ();
  if (build_folder == NULL)
    return g_strdup (DRAY_LOCALEDIR);
  return g_build_filename (build_folder, "..", "po", NULL);
}
