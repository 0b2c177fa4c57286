/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Linked into programs that gcc builds for AddressSanitizer and UndefinedBehaviorSanitizer at once.
 *
 * Each has a library with a copy of all that they share, and of the latter's only a part is set up
 * where the former is there as well: it does not learn of the log_path in its options, so that its
 * reports go to standard error, which nobody looks at where a worker has it. So it is told here.
 */

#define OPTION "log_path="

typedef void (*SetReportPath) (const char *path);

__attribute__ ((constructor)) static void
tell_report_path (void)
{
  const char *options = getenv ("UBSAN_OPTIONS");
  const char *path = options != NULL ? strstr (options, OPTION) : NULL;
  /* It is there, and its function is the one that is found first in it, and not in the program. */
  void *library = path != NULL ? dlopen ("libubsan.so.1", RTLD_NOW | RTLD_NOLOAD) : NULL;
  SetReportPath set_report_path = NULL;
  char value[4096];

  if (library == NULL)
    return;

  path += strlen (OPTION);
  snprintf (value, sizeof value, "%.*s", (int) strcspn (path, ":"), path);
  set_report_path = (SetReportPath) dlsym (library, "__sanitizer_set_report_path");
  if (set_report_path != NULL)
    set_report_path (value);
  dlclose (library);
}
