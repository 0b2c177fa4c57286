/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-value-check.h"

#include <string.h>
#include <sys/mman.h>

/* What bytes are taken for a value. GVariant's own check, which is much slower, is the measure:
 * nothing may be taken that it refuses. */

/* Fewer rounds where each of them takes long. */
static guint
scale_rounds (guint rounds)
{
  const char *factor = g_getenv ("DRAY_TEST_TIME_FACTOR");

  return factor != NULL ? MAX (rounds / MAX (atoi (factor), 1), 1) : rounds;
}

static gboolean
check_bytes (const char *type, const guint8 *data, gsize size)
{
  /* Blocks of the very sizes, so that reading beyond an end is noticed. */
  g_autofree char *own_type = g_malloc (strlen (type) + (type[0] == '\0'));
  g_autofree guint8 *own_data = g_malloc (size + (size == 0));

  memcpy (own_type, type, strlen (type));
  if (size > 0)
    memcpy (own_data, data, size);
  return dray_value_check (own_type, strlen (type), own_data, size);
}

/* What GVariant says. Some of its versions look at one byte behind the end, so there is one. */
static gboolean
is_normal (const char *type, const guint8 *data, gsize size)
{
  guint8 *copy = g_malloc0 (size + 1);
  g_autoptr (GVariant) value = NULL;

  if (size > 0)
    memcpy (copy, data, size);
  value = g_variant_ref_sink (
    g_variant_new_from_data (G_VARIANT_TYPE (type), copy, size, FALSE, g_free, copy));
  return g_variant_is_normal_form (value);
}

static void
expect_taken (GVariant *value)
{
  if (!check_bytes (g_variant_get_type_string (value), g_variant_get_data (value),
                    g_variant_get_size (value)))
    g_error ("refused: %.1000s", g_variant_print (value, TRUE));
}

static void
test_values (void)
{
  static const char *const texts[] = {
    "true", "false", "byte 7", "int16 -1", "uint16 1", "1", "uint32 1", "handle 3", "int64 -1",
    "uint64 1", "1.5", "''", "'text'", "objectpath '/a/b'", "signature 'a{sv}'", "()", "(1,)",
    "('a',)", "(1, 'a')", "('a', 1)", "('a', 'b')", "(byte 1, 2, byte 3, int64 4)",
    "(true, (byte 1, int64 2), 'a', (@ay [], true))", "(((((1,),),),),)", "((((('a',),),),),)",
    "((), ())", "[()]", "[(), ()]", "@a() []", "@as []", "['a', 'b']", "[@as [], @as []]",
    "[[@as []], []]", "[(@ax [],), ([1],)]", "[(1, @ax []), (2, [1, 2])]", "@a{sv} {}",
    "{'a': <1>, 'b': <'x'>, 'c': <@a{sv} {}>}", "{1: 2}", "{1: 'a'}", "@mi nothing", "@mi 1",
    "@ms nothing", "@ms 'a'", "@mmms just just nothing", "@mmmi just just 1", "@ams ['a', nothing]",
    "@m() ()", "<1>", "<<<<'a'>>>>", "[<1>, <'a'>, <(1, 'a', <true>)>]", "(<1>, <2>, 3)",
    "[true, false]", "[(true, byte 1), (false, byte 2)]", "[(byte 1, int64 2)]", "[b'abc', b'']",
    "(b'abc', byte 1, [int64 1])", "{byte 1: (true, @ab [true])}", "@a(a(a(sas)s)x) []",
    "[([([('a', ['b', 'c'])], 'd')], int64 1)]", "(@ax [], @at [], byte 1, @ad [1.5])",
  };

  g_test_summary ("Values of every type are taken as GVariant writes them.");

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = g_variant_parse (NULL, texts[i], NULL, NULL, &error);

      g_assert_no_error (error);
      expect_taken (value);
    }
}

static void
test_sizes (void)
{
  g_test_summary ("Arrays of every size around those where framing offsets grow are taken.");

  for (gsize around = 256; around <= 65536; around *= 256)
    for (gsize size = around - 12; size < around + 12; size++)
      {
        g_autofree char *text = g_strnfill (size, 'x');
        g_autoptr (GVariant) one = g_variant_ref_sink (
          g_variant_new ("(^as)", (char *[]) { text, NULL }));
        g_autoptr (GVariant) many = g_variant_ref_sink (
          g_variant_new ("(^ass)", (char *[]) { "a", text, "", NULL }, "b"));
        g_autoptr (GVariant) pair = g_variant_ref_sink (
          g_variant_new ("(ssx)", text, "", G_MAXINT64));

        expect_taken (one);
        expect_taken (many);
        expect_taken (pair);
      }
}

static void
test_types (void)
{
  static const struct
  {
    const char *type;
    gboolean valid;
  } vectors[] = {
    { "", FALSE },       { "z", FALSE },      { "S", FALSE },      { "ii", FALSE },
    { "a", FALSE },      { "m", FALSE },      { "(", FALSE },      { ")", FALSE },
    { "(i", FALSE },     { "i)", FALSE },     { "()", TRUE },      { "()x", FALSE },
    { "{", FALSE },      { "{}", FALSE },     { "{i}", FALSE },    { "{iii}", FALSE },
    { "{vi}", FALSE },   { "{(i)i}", FALSE }, { "{aii}", FALSE },  { "{sv", FALSE },
    { "{sv}", TRUE },    { "a{sv}", TRUE },   { "a{vs}", FALSE },  { "({sv)}", FALSE },
    { "*", FALSE },      { "?", FALSE },      { "r", FALSE },      { "a*", FALSE },
    { "(*)", FALSE },    { "a?", FALSE },     { "ar", FALSE },     { "a{?*}", FALSE },
    { "mmmmas", TRUE },  { "a(", FALSE },     { "am", FALSE },     { "a}", FALSE },
    { "((((()))))", TRUE }, { "((((())))", FALSE }, { " i", FALSE }, { "i ", FALSE },
    { "\xff", FALSE },   { "a\xc3", FALSE },  { "%s", FALSE },     { "{{ss}s}", FALSE },
  };

  g_test_summary ("Types that are none, or not definite, are refused, at the top and inside "
                  "variants.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      const char *type = vectors[i].type;
      g_autoptr (GVariant) value = NULL;
      g_autoptr (GByteArray) variant = g_byte_array_new ();
      const guint8 *data = (const guint8 *) "";
      gsize size = 0;

      g_assert_cmpint (g_variant_type_string_is_valid (type)
                         && g_variant_type_is_definite ((const GVariantType *) type),
                       ==, vectors[i].valid);
      if (vectors[i].valid)
        {
          /* What a type's default is, GVariant makes out of bytes that do not fit. */
          g_autoptr (GVariant) wrong = g_variant_ref_sink (
            g_variant_new_from_data (G_VARIANT_TYPE (type), "\xff\xff\xff", 3, FALSE, NULL, NULL));
          value = g_variant_get_normal_form (wrong);
          data = g_variant_get_data (value);
          size = g_variant_get_size (value);
        }

      if (size > 0)
        g_byte_array_append (variant, data, size);
      g_byte_array_append (variant, (const guint8 *) "", 1);
      g_byte_array_append (variant, (const guint8 *) type, strlen (type));
      g_assert_cmpint (check_bytes (type, data, size), ==, vectors[i].valid);
      g_assert_cmpint (check_bytes ("v", variant->data, variant->len), ==, vectors[i].valid);
    }
}

static void
test_hostile_values (void)
{
  static const struct
  {
    const char *type;
    const char *bytes;
    gsize size;
    const char *why;
  } vectors[] = {
    { "b", "\2", 1, "neither true nor false" },
    { "b", "", 0, "too short" },
    { "i", "\1\2\3", 3, "too short" },
    { "i", "\1\2\3\4\5", 5, "too long" },
    { "()", "\1", 1, "the byte of the empty tuple is not zero" },
    { "()", "", 0, "the empty tuple without its byte" },
    { "s", "", 0, "no NUL" },
    { "s", "abc", 3, "no NUL" },
    { "s", "a\0b\0", 4, "a NUL inside" },
    { "s", "\xff\0", 2, "no UTF-8" },
    { "s", "\xc3\0", 2, "half a character" },
    { "s", "\xed\xa0\x80\0", 4, "a surrogate" },
    { "o", "a\0", 2, "no object path" },
    { "o", "/a/\0", 4, "no object path" },
    { "g", "z\0", 2, "no signature" },
    { "g", "(\0", 2, "no signature" },
    { "ab", "\1\0\2", 3, "a bad element" },
    { "ax", "1234567", 7, "not a multiple" },
    { "a(yx)", "\1\0\0\0\0\0\1\0" "12345678", 16, "padding that is not zero" },
    { "(xy)", "12345678" "\1\0\0\0\0\0\0\1", 16, "padding at the end that is not zero" },
    { "(yx)", "\1\0\0\0\0\0\0\0" "1234567", 15, "too short" },
    { "as", "a\0b\0\2\4\0", 7, "the last offset points behind the others" },
    { "as", "a\0\xff", 3, "an offset behind the end" },
    { "as", "a\0\3", 3, "no offset where they begin" },
    { "as", "\0", 1, "a string without a NUL" },
    { "as", "a\0b\0\4\2", 6, "offsets that go down" },
    { "as", "a\0b\0c\0\5\2\6", 9, "offsets that go up and down" },
    { "aax", "12345678" "\7\10", 10, "an element that is not a multiple" },
    { "aax", "12345678" "\0\10\20", 11, "an offset behind the elements" },
    { "aay", "abc" "\4\3", 5, "an offset behind the elements" },
    { "(ss)", "a\0b\0", 4, "no offset" },
    { "(ss)", "a\0b\0\5", 5, "an offset behind the members" },
    { "(ss)", "a\0b\0\1", 5, "an offset inside a member" },
    { "(ss)", "", 0, "no offset" },
    { "(ss)", "\0", 1, "no members" },
    { "(sss)", "a\0b\0c\0\2\4", 8, "offsets in the wrong order" },
    { "(si)", "a\0\0\0\1\0\0\0\2\0", 10, "something behind the last member" },
    { "(si)", "a\0\1\0\1\0\0\0\2", 9, "padding that is not zero" },
    { "(si)", "a\0\0\0\1\0\0\2", 8, "a member cut short" },
    { "mi", "\1\2", 2, "too short" },
    { "mi", "\1\2\3\4\0", 5, "too long" },
    { "ms", "a\0", 2, "just, without its byte" },
    { "ms", "a\0\1", 3, "just, with another byte" },
    { "mmi", "\1\2\3\4\1", 5, "just, with another byte" },
    { "v", "", 0, "nothing" },
    { "v", "\0", 1, "no type" },
    { "v", "y", 1, "no NUL" },
    { "v", "\1y", 2, "no NUL" },
    { "v", "\0y", 2, "no value" },
    { "v", "\1\2\0y", 4, "too long a value" },
    { "v", "\1\0yy", 4, "two types" },
    { "v", "\2\0b", 3, "a bad boolean" },
    { "v", "\0\0()\0", 5, "a type that ends with a NUL" },
    { "a{sv}", "a\0\0\0\0\0\0\0\1\0\2\13", 12, "a bad type inside" },
  };

  g_test_summary ("Bytes that are not in normal form are refused, each for a reason of its own.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      const guint8 *data = (const guint8 *) vectors[i].bytes;

      g_test_message ("%s: %s", vectors[i].type, vectors[i].why);
      g_assert_false (check_bytes (vectors[i].type, data, vectors[i].size));
    }
}

static void
test_wide_offsets (void)
{
  guint8 bytes[300] = { 0 };

  g_test_summary ("Framing offsets that are wider than they need to be are refused.");

  /* Two strings of 252 bytes in all: with offsets of a byte each they would be 254. */
  memset (bytes, 'a', 256);
  bytes[9] = bytes[251] = 0;
  bytes[252] = 10;
  bytes[253] = 0;
  bytes[254] = 252;
  bytes[255] = 0;
  g_assert_false (check_bytes ("as", bytes, 256));

  /* Two strings of 254 bytes in all, of which a tuple needs to know one end only. */
  memset (bytes, 'a', 256);
  bytes[9] = bytes[253] = 0;
  bytes[254] = 10;
  bytes[255] = 0;
  g_assert_false (check_bytes ("(ss)", bytes, 256));

  /* Two strings of 260 bytes in all, which no offset of a byte reaches. */
  memset (bytes, 'a', sizeof bytes);
  bytes[9] = bytes[259] = 0;
  bytes[260] = 10;
  bytes[261] = 0;
  bytes[262] = 4;
  bytes[263] = 1;
  g_assert_true (check_bytes ("as", bytes, 264));
}

/* (transfer full): @value inside @n_variants variants */
static GVariant *
nest_variants (GVariant *value, guint n_variants)
{
  g_variant_ref_sink (value);
  for (guint i = 0; i < n_variants; i++)
    {
      GVariant *outer = g_variant_ref_sink (g_variant_new_variant (value));

      g_variant_unref (value);
      value = outer;
    }
  return value;
}

static char *
nest_type (const char *before, const char *inner, const char *after, guint n)
{
  GString *type = g_string_new (NULL);

  for (guint i = 0; i < n; i++)
    g_string_append (type, before);
  g_string_append (type, inner);
  for (guint i = 0; i < n; i++)
    g_string_append (type, after);
  return g_string_free (type, FALSE);
}

static void
test_widest_offsets (void)
{
  const gsize length = (gsize) 1 << 32;
  const gsize size = length + sizeof (guint64);
  guint8 *bytes;

  g_test_summary ("Beyond four gibibytes a framing offset has eight bytes, all of which count.");

  /* Only what is touched takes memory. */
  bytes = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                0);
  if (bytes == MAP_FAILED)
    {
      g_test_skip ("there is not enough address space");
      return;
    }

  /* Where the first of two arrays ends: at the beginning, at the end, and one byte behind that. */
  g_assert_true (dray_value_check ("(ayay)", 6, bytes, size));
  bytes[length + 4] = 1;
  g_assert_true (dray_value_check ("(ayay)", 6, bytes, size));
  bytes[length] = 1;
  g_assert_false (dray_value_check ("(ayay)", 6, bytes, size));
  munmap (bytes, size);
}

static void
test_depth (void)
{
  g_test_summary ("Containers lie in each other as deep as the limit and no deeper, be they in "
                  "one type or in variants; what is taken GVariant takes as well.");

  for (guint depth = DRAY_VALUE_MAX_DEPTH - 3; depth < DRAY_VALUE_MAX_DEPTH + 3; depth++)
    {
      g_autoptr (GVariant) variants = nest_variants (g_variant_new_int32 (1), depth);
      g_autoptr (GVariant) arrays = nest_variants (g_variant_new_strv (NULL, 0), depth - 1);
      g_autofree char *tuple = nest_type ("(", "y", ")", depth);
      g_autofree char *array = nest_type ("a", "y", "", depth);
      gboolean allowed = depth < DRAY_VALUE_MAX_DEPTH;

      g_assert_cmpint (
        check_bytes ("v", g_variant_get_data (variants), g_variant_get_size (variants)), ==,
        allowed);
      g_assert_cmpint (check_bytes ("v", g_variant_get_data (arrays), g_variant_get_size (arrays)),
                       ==, allowed);
      g_assert_cmpint (check_bytes (tuple, (const guint8 *) "\1", 1), ==, allowed);
      g_assert_cmpint (check_bytes (array, (const guint8 *) "", 0), ==, allowed);
      if (allowed)
        {
          g_assert_true (
            is_normal ("v", g_variant_get_data (variants), g_variant_get_size (variants)));
          g_assert_true (is_normal ("v", g_variant_get_data (arrays), g_variant_get_size (arrays)));
          g_assert_true (is_normal (tuple, (const guint8 *) "\1", 1));
          g_assert_true (is_normal (array, (const guint8 *) "", 0));
        }
    }
}

static void
test_endless_nesting (void)
{
  static const char *const types[] = { "a", "m", "(", "{y", "{s", "ma", "a(", "{sa" };
  const gsize size = 1024 * 1024;
  g_autofree char *bytes = g_malloc0 (size);

  g_test_summary ("A megabyte of nothing but nesting is refused, and soon.");

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    {
      gsize length = strlen (types[i]);

      for (gsize n = 1; n < size; n++)
        bytes[n] = types[i][(n - 1) % length];
      g_assert_false (dray_value_check (bytes + 1, size - 1, (guint8 *) "", 0));
      g_assert_false (dray_value_check (bytes + 1, 4096, (guint8 *) "", 0));
      g_assert_false (dray_value_check ("v", 1, (guint8 *) bytes, 4096));
    }

  /* Variants inside variants, with nothing in the innermost. */
  for (gsize n = 0; n < size; n++)
    bytes[n] = n % 2 == 0 ? '\0' : 'v';
  g_assert_false (dray_value_check ("v", 1, (guint8 *) bytes, size));
}

static void
test_type_length (void)
{
  const gsize longest = DRAY_VALUE_MAX_TYPE;
  g_autofree char *type = g_strnfill (longest + 1, 'y');
  g_autofree guint8 *data = g_malloc0 (2 * longest + 8);

  g_test_summary ("A type is at most as long as the limit, also that of a variant.");

  type[0] = '(';
  type[longest - 1] = ')';
  g_assert_true (dray_value_check (type, longest, data, longest - 2));
  memcpy (data + longest - 1, type, longest);
  g_assert_true (dray_value_check ("v", 1, data, 2 * longest - 1));

  type[longest - 1] = 'y';
  type[longest] = ')';
  g_assert_false (dray_value_check (type, longest + 1, data, longest - 1));
  memcpy (data + longest, type, longest + 1);
  g_assert_false (dray_value_check ("v", 1, data, 2 * longest + 1));
}

/* Random types and values, and changes to their bytes */

static void
append_random_type (GRand *rand, GString *type, guint depth)
{
  static const char basic[] = "bynqiuxthdsog";
  int n;

  switch (g_rand_int_range (rand, 0, depth < 4 ? 9 : 3))
    {
    case 3:
      g_string_append_c (type, 'v');
      break;

    case 4:
      g_string_append_c (type, 'm');
      append_random_type (rand, type, depth + 1);
      break;

    case 5:
    case 6:
      g_string_append_c (type, 'a');
      append_random_type (rand, type, depth + 1);
      break;

    case 7:
      g_string_append_c (type, '(');
      for (n = g_rand_int_range (rand, 0, 5); n > 0; n--)
        append_random_type (rand, type, depth + 1);
      g_string_append_c (type, ')');
      break;

    case 8:
      g_string_append_c (type, '{');
      g_string_append_c (type, basic[g_rand_int_range (rand, 0, sizeof basic - 1)]);
      append_random_type (rand, type, depth + 1);
      g_string_append_c (type, '}');
      break;

    default:
      g_string_append_c (type, basic[g_rand_int_range (rand, 0, sizeof basic - 1)]);
      break;
    }
}

static char *
make_random_type (GRand *rand)
{
  GString *type = g_string_new (NULL);

  append_random_type (rand, type, 0);
  return g_string_free (type, FALSE);
}

static GVariant *make_random_value (GRand *rand, const GVariantType *type);

static GVariant *
make_random_text (GRand *rand, char kind)
{
  static const char *const paths[] = { "/", "/a", "/org/example/One" };
  static const char *const signatures[] = { "", "i", "a{sv}(ii)" };
  static const char *const texts[] = { "", "größer", "a much longer text\n" };
  int i = g_rand_int_range (rand, 0, 3);

  if (kind == 'o')
    return g_variant_new_object_path (paths[i]);
  if (kind == 'g')
    return g_variant_new_signature (signatures[i]);
  return g_variant_new_string (texts[i]);
}

static GVariant *
make_random_basic (GRand *rand, char kind)
{
  const char type[] = { kind, '\0' };
  gsize size = kind == 'y' ? 1 : strchr ("nq", kind) ? 2 : strchr ("iuh", kind) ? 4 : 8;
  guint8 *bytes;

  if (kind == 's' || kind == 'o' || kind == 'g')
    return make_random_text (rand, kind);
  if (kind == 'b')
    return g_variant_new_boolean (g_rand_boolean (rand));

  bytes = g_malloc (size);
  for (gsize i = 0; i < size; i++)
    bytes[i] = g_rand_int (rand);
  return g_variant_new_from_data (G_VARIANT_TYPE (type), bytes, size, TRUE, g_free, bytes);
}

static GVariant *
make_random_value (GRand *rand, const GVariantType *type)
{
  char kind = g_variant_type_peek_string (type)[0];
  GVariantBuilder builder;

  if (kind == 'v')
    {
      g_autofree char *inner = make_random_type (rand);

      return g_variant_new_variant (make_random_value (rand, G_VARIANT_TYPE (inner)));
    }

  if (strchr ("am({", kind) == NULL)
    return make_random_basic (rand, kind);

  g_variant_builder_init (&builder, type);
  if (kind == 'a' || kind == 'm')
    {
      const int most = kind == 'm' ? 2 : g_rand_int_range (rand, 0, 50) == 0 ? 300 : 4;

      for (int n = g_rand_int_range (rand, 0, most); n > 0; n--)
        g_variant_builder_add_value (&builder,
                                     make_random_value (rand, g_variant_type_element (type)));
    }
  else
    {
      for (const GVariantType *member = g_variant_type_first (type); member != NULL;
           member = g_variant_type_next (member))
        g_variant_builder_add_value (&builder, make_random_value (rand, member));
    }

  return g_variant_builder_end (&builder);
}

static void
mutate (GRand *rand, GByteArray *bytes)
{
  static const guint8 telling[] = { 0, 1, 2, 3, 4, 8, 127, 128, 254, 255, 's', 'a', '(', 'v' };
  gint32 at = bytes->len > 0 ? g_rand_int_range (rand, 0, bytes->len) : 0;

  switch (bytes->len > 0 ? g_rand_int_range (rand, 0, 6) : 5)
    {
    case 0:
      bytes->data[at] ^= 1 << g_rand_int_range (rand, 0, 8);
      break;
    case 1:
      bytes->data[at] = telling[g_rand_int_range (rand, 0, G_N_ELEMENTS (telling))];
      break;
    case 2:
      bytes->data[bytes->len - 1 - MIN (at, 3)] += g_rand_int_range (rand, -3, 4);
      break;
    case 3:
      g_byte_array_remove_index (bytes, at);
      break;
    case 4:
      g_byte_array_set_size (bytes, at);
      break;
    default:
      g_byte_array_append (bytes, &telling[g_rand_int_range (rand, 0, G_N_ELEMENTS (telling))], 1);
      break;
    }
}

/* Reads a value and all that is in it, as an application would. */
static void
read_all (GVariant *value)
{
  g_autofree char *text = g_variant_print (value, TRUE);

  g_assert_nonnull (text);
}

static void
test_random_mutations (void)
{
  const guint rounds = scale_rounds (4000);
  g_autoptr (GRand) rand = g_rand_new_with_seed (1789);
  guint n_taken = 0, n_refused = 0;

  g_test_summary ("Random values of random types are taken. With random changes they are taken "
                  "only where GVariant takes them too, and can then be read.");

  for (guint round = 0; round < rounds; round++)
    {
      g_autofree char *type = make_random_type (rand);
      g_autoptr (GVariant) value = g_variant_ref_sink (
        make_random_value (rand, G_VARIANT_TYPE (type)));
      g_autoptr (GByteArray) bytes = g_byte_array_new ();

      expect_taken (value);
      if (g_variant_get_size (value) > 0)
        g_byte_array_append (bytes, g_variant_get_data (value), g_variant_get_size (value));

      for (guint change = 0; change < 8; change++)
        {
          gboolean taken, normal;

          mutate (rand, bytes);
          taken = check_bytes (type, bytes->data, bytes->len);
          normal = is_normal (type, bytes->data, bytes->len);
          if (taken && !normal)
            g_error ("round %u, change %u: a bad %s was taken", round, change, type);
          n_taken += taken;
          n_refused += !taken;

          if (taken)
            {
              g_autoptr (GBytes) copy = g_bytes_new (bytes->data, bytes->len);
              g_autoptr (GVariant) read = g_variant_ref_sink (
                g_variant_new_from_bytes (G_VARIANT_TYPE (type), copy, TRUE));

              read_all (read);
            }
        }
    }

  g_assert_cmpuint (n_taken, >, 0);
  g_assert_cmpuint (n_refused, >, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/value/check/values", test_values);
  g_test_add_func ("/value/check/sizes", test_sizes);
  g_test_add_func ("/value/check/types", test_types);
  g_test_add_func ("/value/hostile/values", test_hostile_values);
  g_test_add_func ("/value/hostile/wide-offsets", test_wide_offsets);
  g_test_add_func ("/value/hostile/widest-offsets", test_widest_offsets);
  g_test_add_func ("/value/hostile/depth", test_depth);
  g_test_add_func ("/value/hostile/endless-nesting", test_endless_nesting);
  g_test_add_func ("/value/hostile/type-length", test_type_length);
  g_test_add_func ("/value/random/mutations", test_random_mutations);

  return g_test_run ();
}
