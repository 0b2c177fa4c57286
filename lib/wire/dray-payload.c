/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-payload.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "dray-descriptor.h"
#include "dray-error-private.h"

/*
 * What the checks are for.
 *
 *   F_SEAL_SHRINK       without it, the other side could cut the memory off below the mapping, and
 *                       the next access would be a SIGBUS
 *   F_SEAL_WRITE        without it, it could change a value after that was found to be sound. The
 *                       kernel gives this seal only when nobody has a mapping left to write through
 *   F_SEAL_GROW         costs nothing, and leaves no question about the size
 *   TMPFS_MAGIC         a memfd of huge pages can be sealed as well, but an access to it is a
 *                       SIGBUS where the system has run out of them
 *
 * Only memory that was made by memfd_create() can have these seals.
 *
 * The mapping is private: before Linux 6.7 a shared one of sealed memory is refused, even if it is
 * for reading. What is only read is not copied.
 */

#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)
#define ALL_SEALS (SIZE_SEALS | F_SEAL_WRITE)

/* Below this size large pages can't help. */
#define LARGE_PAGE ((gsize) 2 * 1024 * 1024)

typedef struct
{
  gpointer address;
  gsize size;
} Mapping;

static void
mapping_free (gpointer data)
{
  Mapping *mapping = data;

  munmap (mapping->address, mapping->size);
  g_free (mapping);
}

static GBytes *
wrap_mapping (gpointer address, gsize size)
{
  Mapping *mapping = g_new (Mapping, 1);

  *mapping = (Mapping){ .address = address, .size = size };
  return g_bytes_new_with_free_func (address, size, mapping_free, mapping);
}

int
dray_payload_create (GError **error)
{
  int fd = dray_descriptor_raise (memfd_create ("dray", MFD_CLOEXEC | MFD_ALLOW_SEALING));

  if (fd < 0)
    dray_set_error_errno (error, errno, _("No shared memory could be had"));
  return fd;
}

/* Returns: 0 or an errno */
static int
write_all (int fd, const guint8 *data, gsize size)
{
  while (size > 0)
    {
      gssize n_written = write (fd, data, size);

      if (n_written > 0)
        {
          data += n_written;
          size -= (gsize) n_written;
        }
      else if (n_written == 0 || errno != EINTR)
        {
          return n_written == 0 ? ENOSPC : errno;
        }
    }

  return 0;
}

int
dray_payload_write (const guint8 *data, gsize size, GError **error)
{
  int fd = dray_payload_create (error);
  int result;

  if (fd < 0)
    return -1;

  result = write_all (fd, data, size);
  if (result == 0 && fcntl (fd, F_ADD_SEALS, ALL_SEALS) != 0)
    result = errno;
  if (result == 0)
    return fd;

  close (fd);
  dray_set_error_errno (error, result, _("No shared memory could be had"));
  return -1;
}

gboolean
dray_payload_check (int fd, gboolean frozen, gsize *size, GError **error)
{
  const int wanted = frozen ? ALL_SEALS : SIZE_SEALS;
  int seals = fcntl (fd, F_GET_SEALS);
  struct statfs filesystem;
  struct stat status;

  if (seals >= 0 && (seals & wanted) == wanted && fstatfs (fd, &filesystem) == 0
      && filesystem.f_type == TMPFS_MAGIC && fstat (fd, &status) == 0 && status.st_size >= 0)
    {
      *size = (gsize) status.st_size;
      return TRUE;
    }

  g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                       C_ ("sent", "shared memory that is not sealed"));
  return FALSE;
}

/* There may be room for the bytes where there is none for one more mapping. */
static GBytes *
read_all (int fd, gsize size)
{
  g_autofree guint8 *data = g_try_malloc (size);
  gsize end = 0;

  while (data != NULL && end < size)
    {
      gssize n_read = pread (fd, data + end, size - end, (off_t) end);

      if (n_read > 0)
        end += (gsize) n_read;
      else if (n_read == 0 || errno != EINTR)
        return NULL;
    }

  return data != NULL ? g_bytes_new_take (g_steal_pointer (&data), size) : NULL;
}

GBytes *
dray_payload_map (int fd, gsize size, GError **error)
{
  gpointer address;
  GBytes *bytes;
  gsize found;

  if (!dray_payload_check (fd, TRUE, &found, error))
    return NULL;

  if (found != size || size == 0)
    {
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                   C_ ("sent", "%zu bytes of shared memory, where %zu were announced"), found,
                   size);
      return NULL;
    }

  address = mmap (NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (address != MAP_FAILED)
    return wrap_mapping (address, size);

  bytes = read_all (fd, size);
  if (bytes == NULL)
    g_set_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE,
                 _("There is not enough memory for a value of %zu bytes"), size);
  return bytes;
}

GBytes *
dray_payload_reserve (gsize size, gpointer *data)
{
  gpointer address;

  if (size < LARGE_PAGE)
    return NULL;

  address = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1, 0);
  if (address == MAP_FAILED)
    return NULL;

  (void) madvise (address, size, MADV_HUGEPAGE);
  *data = address;
  return wrap_mapping (address, size);
}

GBytes *
dray_payload_allocate (gsize size, gpointer *data)
{
  GBytes *bytes = dray_payload_reserve (size, data);

  if (bytes != NULL)
    return bytes;

  *data = g_malloc (MAX (size, 1));
  return g_bytes_new_take (*data, size);
}
