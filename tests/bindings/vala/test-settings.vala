// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Shows that what can be set from Vala is there to be read, by its function and as a property.

using Support;

private const uint64 LARGE = (uint64) 1 << 40; // more than 32 bits have

// Every property of an executor can be given to a new one, and is set, read and notified later.
private void test_executor (Dray.Executor unused) throws Error {
  var launcher = new Dray.Launcher.self ();
  var executor = (Dray.Executor) Object.new (typeof (Dray.Executor), launcher: launcher,
                                             slice: 1500, paused: true);
  string[] told = {};

  assert (executor.slice == 1500 && executor.paused && executor.get_paused ());
  assert (executor.get_launcher () == launcher && executor.launcher == launcher);

  executor.notify.connect (pspec => { told += pspec.name; });
  executor.delivery_priority = 50;
  executor.grace_period = 7;
  executor.idle_timeout = 8;
  executor.launch_timeout = 9000;
  executor.max_message_size = 1 << 20;
  executor.max_pending_bytes = LARGE;
  executor.max_pending_tasks = 11;
  executor.max_tasks_per_worker = 12;
  executor.max_undelivered_bytes = LARGE + 1;
  executor.max_undelivered_bytes_per_future = LARGE + 2;
  executor.max_undelivered_items = 13;
  executor.max_undelivered_items_per_future = 14;
  executor.max_workers = 3;
  assert (string.joinv (" ", told) ==
          "delivery-priority grace-period idle-timeout launch-timeout max-message-size "
          + "max-pending-bytes max-pending-tasks max-tasks-per-worker max-undelivered-bytes "
          + "max-undelivered-bytes-per-future max-undelivered-items "
          + "max-undelivered-items-per-future max-workers");
  assert (executor.delivery_priority == 50 && executor.grace_period == 7);
  assert (executor.idle_timeout == 8 && executor.launch_timeout == 9000);
  assert (executor.max_message_size == 1 << 20 && executor.max_pending_bytes == LARGE);
  assert (executor.max_pending_tasks == 11 && executor.max_tasks_per_worker == 12);
  assert (executor.max_undelivered_bytes == LARGE + 1);
  assert (executor.max_undelivered_bytes_per_future == LARGE + 2);
  assert (executor.max_undelivered_items == 13);
  assert (executor.max_undelivered_items_per_future == 14);
  assert (executor.get_max_workers () == 3);

  assert (!executor.is_shut_down ());
  shut_down (executor);
  assert (executor.is_shut_down ());
}

// An executor does what such a property says: a larger value is refused.
private void test_max_message_size (Dray.Executor executor) throws Error {
  executor.max_message_size = 4096;
  expect_error (Dray.Error.quark (), Dray.Error.TOO_LARGE,
                () => executor.call ("echo", string.nfill (5000, 'x')).wait_result (-1));
}

// What a function of a launcher sets, another gets, and so does the property.
private void test_launcher_functions (Dray.Executor unused) throws Error {
  var launcher = new Dray.Launcher.self ();

  assert (launcher.dup_directory () == null && launcher.directory == null);
  launcher.set_directory ("/usr");
  assert (launcher.dup_directory () == "/usr" && launcher.directory == "/usr");
  launcher.set_limit (Dray.Limit.CORE_SIZE, LARGE);
  assert (launcher.get_limit (Dray.Limit.CORE_SIZE) == LARGE);
  launcher.set_niceness (4);
  assert (launcher.get_niceness () == 4);
  launcher.set_shared_size (LARGE);
  assert (launcher.get_shared_size () == LARGE);
  launcher.set_trusted (true);
  assert (launcher.get_trusted ());
  launcher.set_stderr (Dray.Stderr.INHERIT);
  assert (launcher.get_stderr () == Dray.Stderr.INHERIT);
  launcher.set_sandbox (Dray.Sandbox.STRICT);
  launcher.set_sandbox_need (Dray.SandboxNeed.PREFERRED);
  assert (launcher.sandbox == Dray.Sandbox.STRICT);
  assert (launcher.sandbox_need == Dray.SandboxNeed.PREFERRED);
}

// What was set as a property of a launcher is told by the function, lists and values as well.
private void test_launcher_properties (Dray.Executor unused) throws Error {
  var launcher = new Dray.Launcher.argv ({ "true", "ä" });

  assert (launcher.dup_argv ().length == 2 && launcher.dup_argv ()[1] == "ä");
  assert (launcher.dup_prefix () == null && launcher.prefix == null);
  launcher.prefix = { "nice", "ö" };
  assert (string.joinv (" ", launcher.dup_prefix ()) == "nice ö");
  assert (string.joinv (" ", launcher.prefix) == "nice ö");
  launcher.prefix = null;
  assert (launcher.dup_prefix () == null);
  launcher.environment = { "A=ü" };
  assert (string.joinv (" ", launcher.dup_environment ()) == "A=ü");
  assert (string.joinv (" ", launcher.environment) == "A=ü");
  assert (launcher.dup_initial_arguments () == null && launcher.initial_arguments == null);
  launcher.initial_arguments = new Variant ("(s)", "first");
  assert (launcher.dup_initial_arguments ().print (false) == "('first',)");
  assert (launcher.initial_arguments.print (false) == "('first',)");
  launcher.initial_arguments = null;
  assert (launcher.dup_initial_arguments () == null);
  launcher.directory = "/";
  assert (launcher.dup_directory () == "/");
  launcher.niceness = 2;
  launcher.shared_size = 1 << 20;
  launcher.stderr = Dray.Stderr.INHERIT;
  launcher.trusted = true;
  launcher.sandbox = Dray.Sandbox.READ_ONLY;
  launcher.sandbox_need = Dray.SandboxNeed.PREFERRED;
  assert (launcher.niceness == 2 && launcher.shared_size == 1 << 20);
  assert (launcher.stderr == Dray.Stderr.INHERIT && launcher.trusted);
  assert (launcher.get_sandbox () == Dray.Sandbox.READ_ONLY);
  assert (launcher.get_sandbox_need () == Dray.SandboxNeed.PREFERRED);
}

// A call has all that was set, and what it may lack is null.
private void test_call (Dray.Executor unused) throws Error {
  var task = new Dray.Task.call ("echo", number (7));
  var files = new UnixFDList ();

  assert (task.get_arguments ().equal (number (7)));
  assert (task.get_attachments () == null && !task.get_pull ());
  int fd = Posix.open ("/dev/null", Posix.O_RDONLY);
  files.append (fd);
  Posix.close (fd);
  assert (task.set_attachments (files));
  assert (task.get_attachments ().get_length () == 1);
  task.set_attachments (null);
  assert (task.get_attachments () == null);

  task.set_cancel_mode (Dray.CancelMode.CONFIRMED);
  task.set_max_retries (3);
  task.set_priority (-7);
  task.set_pull (true);
  task.set_time_limit (60000);
  assert (task.get_cancel_mode () == Dray.CancelMode.CONFIRMED && task.get_max_retries () == 3);
  assert (task.get_priority () == -7 && task.get_pull () && task.get_time_limit () == 60000);
}

// So has a command, sizes beyond 32 bits included.
private void test_command (Dray.Executor unused) throws Error {
  var task = new Dray.Task.command ({ "true" });

  assert (task.get_arguments () == null && task.get_input_bytes () == null);
  task.set_input_bytes (new Bytes ("ä".data));
  assert (task.get_input_bytes ().length == "ä".length);
  assert (task.get_directory () == null);
  task.set_directory ("/");
  assert (task.get_directory () == "/");
  task.set_encoding (Dray.Encoding.UTF8);
  task.set_split (Dray.Split.RECORDS);
  task.set_max_output_size ((size_t) LARGE);
  task.set_max_record_size ((size_t) LARGE + 1);
  assert (task.get_encoding () == Dray.Encoding.UTF8 && task.get_split () == Dray.Split.RECORDS);
  assert (task.get_max_output_size () == (size_t) LARGE);
  assert (task.get_max_record_size () == (size_t) LARGE + 1);
}

// A future tells of itself.
private void test_future (Dray.Executor executor) throws Error {
  var task = new Dray.Task.call ("count", new Variant ("(u)", 5));

  task.set_label ("of five");
  var future = executor.submit (task);
  var other_future = executor.call ("nothing", null);
  assert (future.wait (-1) && future.is_done ());
  iterate (() => future.progress == 1);
  assert (future.status == "5 of 5");
  assert (future.get_task ().get_label () == "of five" && future.task.get_label () == "of five");
  assert (future.id > 0 && future.id == future.get_id () && future.id != other_future.get_id ());
}

public int main (string[] args) {
  if (Dray.Worker.is_requested (args))
    return Worker.run ();

  Test.init (ref args);
  add ("/vala/settings/executor", test_executor);
  add ("/vala/settings/max-message-size", test_max_message_size);
  add ("/vala/settings/launcher-functions", test_launcher_functions);
  add ("/vala/settings/launcher-properties", test_launcher_properties);
  add ("/vala/settings/call", test_call);
  add ("/vala/settings/command", test_command);
  add ("/vala/settings/future", test_future);
  return Test.run ();
}
