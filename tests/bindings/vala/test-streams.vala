// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Shows that items, progress, bytes, open files and the output of commands reach Vala.

using Support;

private Dray.Future submit (Dray.Executor executor, string function, Variant? arguments,
                            bool pull = false) {
  var task = new Dray.Task.call (function, arguments);

  task.set_pull (pull);
  return executor.submit (task);
}

private Dray.Future command (Dray.Executor executor, string[] argv, string text = "",
                             Dray.Split split = Dray.Split.NONE) {
  var task = new Dray.Task.command (argv);

  task.set_split (split);
  task.set_encoding (Dray.Encoding.UTF8);
  task.set_input_bytes (new Bytes (text.data));
  return executor.submit (task);
}

// Items come in order, all before the end; the last progress comes, too.
private void test_pushed (Dray.Executor executor) throws Error {
  var future = submit (executor, "count", new Variant ("(u)", 50));
  uint n_items = 0;
  double progress = 0;
  var over = false;

  future.item.connect ((_, value) => {
    assert (!over && value.get_uint32 () == n_items++);
  });
  future.progressed.connect ((_, fraction, status) => {
    progress = fraction;
    assert (status != null && status.has_suffix (" of 50"));
  });
  future.add_done_callback (() => over = true);
  iterate (() => over);
  assert (n_items == 50 && progress == 1 && future.progress == 1);
  assert (future.dup_status () == "50 of 50");
  assert (future.dup_result ().get_uint32 () == 1225);
}

// Whoever pulls gets each item once, one at a time or several, then null.
private class Pulling : Case {
  public override async void run (Dray.Executor executor) throws Error {
    var future = submit (executor, "count", new Variant ("(u)", 50), true);
    uint n_items = 0;

    assert (future.wait_next_item (-1).get_uint32 () == n_items++);
    foreach (var value in future.wait_next_items (3, -1))
      assert (value.get_uint32 () == n_items++);
    assert ((yield future.next_item_async ()).get_uint32 () == n_items++);
    while (true) {
      GenericArray<Variant>? values = yield future.next_items_async (7);
      if (values == null)
        break;
      assert (values.length > 0 && values.length <= 7);
      foreach (var value in values)
        assert (value.get_uint32 () == n_items++);
    }
    assert (n_items == 50);
    var last = yield future.next_item_async ();
    assert (last == null);
  }
}

// Items that nobody pulls any more do not hold up their task.
private void test_discarded (Dray.Executor executor) throws Error {
  const uint N_ITEMS = 3000; // more than are read ahead
  var future = submit (executor, "count", new Variant ("(u)", N_ITEMS), true);

  assert (future.wait_next_item (-1).get_uint32 () == 0);
  future.discard_items ();
  iterate (() => future.is_done ());
  assert (future.dup_result ().get_uint32 () == N_ITEMS * (N_ITEMS - 1) / 2);
  assert (future.wait_next_item (-1) == null);
  iterate (() => executor.dup_counters ().undelivered_items == 0);
}

// A megabyte goes in and comes back, through pipes and through memory that is or is not trusted.
private void test_bytes (Dray.Executor unused) throws Error {
  uint64[] shared_sizes = { 1 << 30, 1 << 16, 1 << 30 };

  for (int i = 0; i < shared_sizes.length; i++) {
    var launcher = new Dray.Launcher.self ();
    launcher.set_shared_size (shared_sizes[i]);
    launcher.set_trusted (i == 2);
    var executor = new Dray.Executor (launcher);
    send_bytes (executor);
    shut_down (executor);
  }
}

private void send_bytes (Dray.Executor executor) throws Error {
  var data = new uint8[1 << 20];

  for (int i = 0; i < data.length; i++)
    data[i] = (uint8) (i % 251);
  var value = new Variant.from_bytes (VariantType.BYTESTRING, new Bytes (data), true);
  var back = executor.call ("reverse", value).wait_result (-1).get_data_as_bytes ();
  assert (back.length == data.length);
  for (int i = 0; i < data.length; i++)
    assert (back[i] == data[data.length - 1 - i]);
}

// An open file of the application's goes to a worker, and comes back.
private void test_attachments (Dray.Executor executor) throws Error {
  FileIOStream created;
  var file = File.new_tmp ("dray-XXXXXX", out created);
  var task = new Dray.Task.call ("pass-on", null);
  var files = new UnixFDList ();

  FileUtils.set_contents (file.get_path (), "grüß Gott");
  int fd = Posix.open (file.get_path (), Posix.O_RDONLY);
  file.delete ();
  files.append (fd);
  Posix.close (fd);
  task.set_attachments (files);

  var future = executor.submit (task);
  int index = future.wait_result (-1).get_int32 ();
  int returned = future.dup_attachments ().get (index);
  var input = new DataInputStream (new UnixInputStream (returned, true));
  assert (input.read_line () == "grüß Gott");
}

// The output of a command is its result, or comes in lines.
private void test_output (Dray.Executor executor) throws Error {
  string[] lines = {};

  assert (command (executor, { "sort" }, "b\na\n").wait_result (-1).get_string () == "a\nb\n");
  var future = command (executor, { "sort" }, "b\na\n", Dray.Split.LINES);
  future.item.connect ((_, line) => { lines += line.get_string (); });
  iterate (() => lines.length == 2);
  assert (lines[0] == "a" && lines[1] == "b");
}

// A command reads an open file, from where it is.
private void test_input_fd (Dray.Executor executor) throws Error {
  FileIOStream created;
  var file = File.new_tmp ("dray-XXXXXX", out created);
  var task = new Dray.Task.command ({ "cat" });

  FileUtils.set_contents (file.get_path (), "vorbei, grün");
  int fd = Posix.open (file.get_path (), Posix.O_RDONLY);
  file.delete ();
  task.set_encoding (Dray.Encoding.UTF8);
  expect_error (IOError.quark (), IOError.FAILED, () => task.set_input_fd (1 << 20));
  Posix.lseek (fd, "vorbei, ".length, Posix.SEEK_SET);
  assert (task.set_input_fd (fd));
  Posix.close (fd);
  assert (executor.submit (task).wait_result (-1).get_string () == "grün");
}

// Output that is too large, and a line that is too long, fail their tasks.
private void test_max_sizes (Dray.Executor executor) throws Error {
  size_t[] sizes = { 5, 4 };

  foreach (var size in sizes) {
    var task = new Dray.Task.command ({ "echo", "four" });
    task.set_encoding (Dray.Encoding.UTF8);
    task.set_max_output_size (size);
    assert (task.get_max_output_size () == size);
    var future = executor.submit (task);
    if (size == 5)
      assert (future.wait_result (-1).get_string () == "four\n");
    else
      expect_error (Dray.Error.quark (), Dray.Error.TOO_LARGE, () => future.wait_result (-1));
  }

  var task = new Dray.Task.command ({ "printf", "four\\nfive!\\n" });
  task.set_encoding (Dray.Encoding.UTF8);
  task.set_split (Dray.Split.LINES);
  task.set_max_record_size (4);
  task.set_pull (true);
  var future = executor.submit (task);
  assert (future.wait_next_item (-1).get_string () == "four");
  expect_error (Dray.Error.quark (), Dray.Error.TOO_LARGE, () => future.wait_next_item (-1));
}

// An exit status and a signal are the codes of two domains of errors.
private void test_failures (Dray.Executor executor) throws Error {
  string[] exiting = { "sh", "-c", "echo why >&2; exit 3" };
  string[] killed = { "sh", "-c", "kill $$" };
  var error = expect_error (Quark.from_string ("g-spawn-exit-error-quark"), 3,
                            () => command (executor, exiting).wait_result (-1));

  assert ("why" in error.message);
  expect_error (Dray.SignalError.quark (), Dray.SignalError.TERMINATE,
                () => command (executor, killed).wait_result (-1));
}

// What was set is there to be read, lists of words as well.
private void test_settings (Dray.Executor executor) throws Error {
  var task = new Dray.Task.command ({ "true", "ä" });

  assert (strv_length (task.get_argv ()) == 2 && task.get_argv ()[1] == "ä");
  assert (task.get_environment () == null);
  task.set_environment ({ "A=1", "B=ö" });
  assert (task.get_environment ()[1] == "B=ö");
  assert (task.get_kind () == Dray.TaskKind.COMMAND);
  assert (task.get_function () == null && task.get_key () == null);
}

public int main (string[] args) {
  if (Dray.Worker.is_requested (args))
    return Worker.run ();

  Test.init (ref args);
  add ("/vala/streams/pushed", test_pushed);
  add_async ("/vala/streams/pulling", new Pulling ());
  add ("/vala/streams/discarded", test_discarded);
  add ("/vala/streams/bytes", test_bytes);
  add ("/vala/streams/attachments", test_attachments);
  add ("/vala/streams/output", test_output);
  add ("/vala/streams/input-fd", test_input_fd);
  add ("/vala/streams/max-sizes", test_max_sizes);
  add ("/vala/streams/failures", test_failures);
  add ("/vala/streams/settings", test_settings);
  return Test.run ();
}
