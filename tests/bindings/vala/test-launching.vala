// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Shows that launchers, and the lists of futures and workers, can be used from Vala.

using Support;

// A worker has the surroundings that were set, which are there to be read.
private void test_launcher (Dray.Executor unused) throws Error {
  var launcher = new Dray.Launcher.self ();
  uint level;

  launcher.set_environment ({ "A=1", "B=2" });
  launcher.unsetenv ("A");
  assert (launcher.dup_environment ().length == 1 && launcher.dup_environment ()[0] == "B=2");
  launcher.set_environment (null);
  launcher.setenv ("DRAY_TEST", "grün");
  launcher.set_directory ("/usr");
  launcher.set_initial_arguments (new Variant ("(s)", "first"));
  launcher.set_io_class (Dray.IoClass.BEST_EFFORT, 5);
  assert (launcher.get_io_class (out level) == Dray.IoClass.BEST_EFFORT && level == 5);
  launcher.grant_path ("/usr", Dray.Access.READ);
  assert (launcher.dup_granted_paths (Dray.Access.READ)[0] == "/usr");

  var executor = new Dray.Executor (launcher);
  var said = new VariantDict (executor.call ("tell", null).wait_result (-1));
  string[] names = { "function", "variable", "directory", "initial" };
  string[] expected = { "tell", "grün", "/usr", "('first',)" };
  for (int i = 0; i < names.length; i++)
    assert (said.lookup_value (names[i], null).get_string () == expected[i]);
  shut_down (executor);

  launcher.set_initial_arguments (new Variant ("(s)", "refuse"));
  executor = new Dray.Executor (launcher);
  var error = expect_error (Dray.Error.quark (), Dray.Error.LAUNCH,
                            () => executor.call ("nothing", null).wait_result (-1));
  assert ("refused" in error.message);
  shut_down (executor);
}

// Workers can be a program of the library, which loads a module.
private void test_module (Dray.Executor unused) throws Error {
  var folder = Environment.get_variable ("G_TEST_BUILDDIR");
  var launcher = new Dray.Launcher.module (Path.build_filename (folder, "worker-module.so"));

  launcher.set_initial_arguments ("Grüß Gott");
  var executor = new Dray.Executor (launcher);
  var greeting = executor.call ("greet", new Variant ("(s)", "Dray")).wait_result (-1);
  assert (greeting.get_string () == "Grüß Gott, Dray!");
  shut_down (executor);
}

// What a worker said last is told when it died, unless it was said elsewhere.
private void test_standard_error (Dray.Executor unused) throws Error {
  Dray.Stderr[] modes = { Dray.Stderr.CAPTURE, Dray.Stderr.INHERIT };

  foreach (var mode in modes) {
    var launcher = new Dray.Launcher.self ();
    launcher.set_stderr (mode);
    assert (launcher.get_stderr () == mode);
    var executor = new Dray.Executor (launcher);
    var error = expect_error (Dray.Error.quark (), Dray.Error.WORKER_DIED,
                              () => executor.call ("die", null).wait_result (-1));
    assert (("last words" in error.message) == (mode == Dray.Stderr.CAPTURE));
    shut_down (executor);
  }
}

// A worker starts through a prefix, nicer than the application, in a sandbox where there is one.
private void test_surroundings (Dray.Executor unused) throws Error {
  var launcher = new Dray.Launcher.self ();

  launcher.set_prefix ({ "env", "DRAY_TEST=through a prefix" });
  launcher.set_limit (Dray.Limit.OPEN_FILES, 64);
  launcher.set_niceness (3);
  launcher.set_sandbox (Dray.Sandbox.NO_NETWORK);
  launcher.set_sandbox_need (Dray.SandboxNeed.PREFERRED);
  var executor = new Dray.Executor (launcher);
  var said = new VariantDict (executor.call ("tell", null).wait_result (-1));
  assert (said.lookup_value ("variable", null).get_string () == "through a prefix");
  assert (said.lookup_value ("files", null).get_int64 () == 64);
  assert (said.lookup_value ("niceness", null).get_int32 () >= 3);
  assert (executor.dup_sandbox_shortfall () == executor.sandbox_shortfall);
  shut_down (executor);
}

// A worker that ends in good order calls its finaliser.
private void test_finalizer (Dray.Executor unused) throws Error {
  var folder = DirUtils.make_tmp ("dray-XXXXXX");
  var path = Path.build_filename (folder, "finished");
  var launcher = new Dray.Launcher.self ();
  string contents;

  launcher.setenv ("DRAY_TEST_FINISHED", path);
  var executor = new Dray.Executor (launcher);
  executor.grace_period = GRACE;
  executor.call ("nothing", null).wait_result (-1);
  executor.shutdown_sync (Dray.ShutdownMode.DRAIN);
  FileUtils.get_contents (path, out contents);
  assert (contents == "all done");
  FileUtils.remove (path);
  DirUtils.remove (folder);
}

// The lists of futures and workers are models that tell what changes in them.
private void test_lists (Dray.Executor executor) throws Error {
  var futures = executor.get_futures ();
  var workers = executor.get_workers ();
  var n_changes = 0;

  futures.items_changed.connect (() => n_changes++);
  var future = executor.call ("wait-for-cancel", null);
  iterate (() => workers.get_n_items () == 1 && futures.get_n_items () == 1);
  var worker = (Dray.WorkerProcess) workers.get_item (0);
  iterate (() => worker.state == Dray.WorkerState.BUSY);
  assert (futures.get_item (0) == future);
  assert (worker.get_task ().get_function () == "wait-for-cancel");
  worker.kill ();
  iterate (() => worker.state == Dray.WorkerState.GONE);
  expect_error (Dray.Error.quark (), Dray.Error.WORKER_DIED, () => future.dup_result ());
  assert (n_changes >= 2);
}

// A worker process tells what it is doing, what it has done, and how it ended.
private void test_worker_process (Dray.Executor executor) throws Error {
  var workers = executor.get_workers ();

  executor.set_max_workers (1);
  for (int i = 0; i < 3; i++)
    executor.call ("nothing", null).wait_result (-1);
  iterate (() => workers.get_n_items () == 1);
  var worker = (Dray.WorkerProcess) workers.get_item (0);
  iterate (() => worker.get_tasks_done () == 3);
  assert (worker.get_task () == null && worker.get_wait_status () == -1);

  var future = executor.call ("wait-for-cancel", null);
  iterate (() => worker.task != null);
  assert (worker.task.get_function () == "wait-for-cancel");
  assert (worker.pid == worker.get_pid ());
  assert (worker.start_time.equal (worker.get_start_time ()));
  Posix.kill (worker.get_pid (), Posix.Signal.TERM);
  iterate (() => worker.get_state () == Dray.WorkerState.GONE);
  expect_error (Dray.Error.quark (), Dray.Error.WORKER_DIED, () => future.dup_result ());
  assert (worker.tasks_done == 3 && worker.wait_status == worker.get_wait_status ());
  assert (Process.term_sig (worker.get_wait_status ()) == ProcessSignal.TERM);
}

public int main (string[] args) {
  if (Dray.Worker.is_requested (args))
    return Worker.run ();

  Test.init (ref args);
  add ("/vala/launching/launcher", test_launcher);
  add ("/vala/launching/module", test_module);
  add ("/vala/launching/standard-error", test_standard_error);
  add ("/vala/launching/surroundings", test_surroundings);
  add ("/vala/launching/finalizer", test_finalizer);
  add ("/vala/launching/lists", test_lists);
  add ("/vala/launching/worker-process", test_worker_process);
  return Test.run ();
}
