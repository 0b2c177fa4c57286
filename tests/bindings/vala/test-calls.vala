// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Shows that functions in Vala run in workers of this program, and that each call ends as it
// should.

using Support;

// Asynchronous calls are waited for with yield.
private class Yielding : Case {
  public override async void run (Dray.Executor executor) throws Error {
    var arguments = number (7);
    var task = new Dray.Task.call ("echo", arguments);

    assert ((yield executor.call_async ("echo", arguments)).equal (arguments));
    assert ((yield executor.call_async ("nothing", null)).print (true) == "()");
    assert ((yield executor.run_async (task)).equal (arguments));

    var future = yield executor.submit_async (task);
    assert ((yield future.result_async ()).equal (arguments));
  }
}

// An error is caught where it is waited for, by its domain and code.
private class Catching : Case {
  public override async void run (Dray.Executor executor) throws Error {
    try {
      yield executor.call_async ("open-missing", null);
      assert_not_reached ();
    } catch (IOError.NOT_FOUND error) {
      assert ("/no/such/file" in error.message);
    }

    try {
      yield executor.call_async ("no such function", null);
      assert_not_reached ();
    } catch (Dray.Error.UNKNOWN_FUNCTION error) {
      assert (error.message != "");
    }
  }
}

// A cancellable stops a running function, which may look at its job's.
private class Cancelling : Case {
  public override async void run (Dray.Executor executor) throws Error {
    var cancellable = new Cancellable ();
    var future = executor.submit (new Dray.Task.call ("wait-for-cancel", null), cancellable);

    future.item.connect (() => cancellable.cancel ());
    try {
      yield future.result_async ();
      assert_not_reached ();
    } catch (IOError.CANCELLED error) {
      assert (future.state == Dray.FutureState.CANCELLED);
    }
  }
}

// A shutdown runs what is pending, tells when nothing is left, and refuses what is new.
private class Ending : Case {
  public override async void run (Dray.Executor executor) throws Error {
    var futures = new GenericArray<Dray.Future> ();

    for (int i = 0; i < 20; i++)
      futures.add (executor.call ("echo", number (i)));
    assert (yield executor.shutdown_async (Dray.ShutdownMode.DRAIN));
    for (int i = 0; i < 20; i++)
      assert (futures[i].dup_result ().equal (number (i)));
    try {
      yield executor.call_async ("nothing", null);
      assert_not_reached ();
    } catch (Dray.Error.SHUT_DOWN error) {
      assert (error.message != "");
    }
  }
}

// Each callback is called once, in the main loop; and whoever waits may block.
private void test_callbacks (Dray.Executor executor) throws Error {
  var n_calls = 0;
  var future = executor.call ("echo", number (7));

  future.add_done_callback (done => {
    assert (done == future);
    n_calls++;
  });
  assert (future.wait_result (-1).equal (number (7)));
  assert (n_calls == 0);
  iterate (() => n_calls == 1);
}

// An error keeps its domain, code and message.
private void test_errors (Dray.Executor executor) throws Error {
  var arguments = new Variant ("(sis)", "my-own-error-quark", 42, "No such thing");
  var error = expect_error (Quark.from_string ("my-own-error-quark"), 42,
                            () => executor.call ("fail", arguments).wait_result (-1));

  assert (error.message == "No such thing");
  expect_error (Dray.Error.quark (), Dray.Error.BAD_ARGUMENTS,
                () => executor.call ("count", "x").wait_result (-1));
}

// A worker that dies fails one task, and the next call has another worker.
private void test_death (Dray.Executor executor) throws Error {
  var error = expect_error (Dray.Error.quark (), Dray.Error.WORKER_DIED,
                            () => executor.call ("die", null).wait_result (-1));

  assert ("9" in error.message);
  executor.call ("nothing", null).wait_result (-1);
  var counters = executor.dup_counters ();
  assert (counters.workers_died == 1 && counters.failed == 1 && counters.succeeded == 1);
  assert (counters.workers_died_idle == 0);
}

// Where the worker has to confirm, a result that it returns counts.
private void test_confirming (Dray.Executor executor) throws Error {
  var task = new Dray.Task.call ("wait-for-cancel", null);

  executor.grace_period = GRACE;
  task.set_cancel_mode (Dray.CancelMode.CONFIRMED);
  var future = executor.submit (task);
  future.item.connect (() => future.cancel ());
  iterate (() => future.is_done ());
  assert (future.dup_result ().get_string () == "stopped");
}

// All that is not done can be cancelled at once, whether it has begun or not.
private void test_cancelling_all (Dray.Executor executor) throws Error {
  Dray.Future[] futures = {};

  executor.max_workers = 1;
  for (int i = 0; i < 3; i++)
    futures += executor.call ("wait-for-cancel", null);
  futures[0].item.connect (() => executor.cancel_all ());
  foreach (var future in futures) {
    iterate (() => future.is_done ());
    assert (future.get_state () == Dray.FutureState.CANCELLED);
  }
}

// A function that blocks gets the signal that its worker has set.
private void test_cancel_signal (Dray.Executor unused) throws Error {
  var launcher = new Dray.Launcher.self ();
  var task = new Dray.Task.call ("wait-for-signal", null);

  launcher.setenv ("DRAY_TEST_SIGNAL", "1");
  var executor = new Dray.Executor (launcher);
  executor.grace_period = GRACE;
  task.set_cancel_mode (Dray.CancelMode.CONFIRMED);
  var future = executor.submit (task);
  future.item.connect (() => future.cancel ());
  iterate (() => future.is_done ());
  assert (future.dup_result ().get_int32 () == Posix.Signal.USR1);
  shut_down (executor);
}

// Two tasks with one key share a run; one without has its own.
private void test_sharing (Dray.Executor executor) throws Error {
  string?[] keys = { "turn", "turn", null };
  uint32[] turns = { 0, 0, 1 };
  Dray.Future[] futures = {};

  executor.max_workers = 1;
  executor.set_paused (true);
  foreach (unowned string? key in keys) {
    var task = new Dray.Task.call ("take-turn", null);
    task.set_key (key);
    assert (task.get_key () == key);
    futures += executor.submit (task);
  }
  executor.set_paused (false);
  for (int i = 0; i < turns.length; i++)
    assert (futures[i].wait_result (-1).get_uint32 () == turns[i]);
}

// A task with retries is run again when its worker has died.
private void test_retries (Dray.Executor executor) throws Error {
  var task = new Dray.Task.call ("die", null);

  task.set_max_retries (1);
  assert (task.get_max_retries () == 1);
  expect_error (Dray.Error.quark (), Dray.Error.WORKER_DIED,
                () => executor.submit (task).wait_result (-1));
  assert (executor.dup_counters ().retried == 1);
}

// A function can ask for its job and its worker; elsewhere there is no job.
private void test_jobs (Dray.Executor executor) throws Error {
  var future = executor.call ("identify", null);
  var expected = new Variant ("(tbb)", future.get_id (), true, true);

  assert (future.wait_result (-1).equal (expected));
  assert (Dray.Job.get_current () == null);
}

// A task that runs for too long fails with an error of its own.
private void test_time_limit (Dray.Executor executor) throws Error {
  var task = new Dray.Task.call ("wait-for-cancel", null);

  task.set_time_limit (20);
  expect_error (Dray.Error.quark (), Dray.Error.TIMED_OUT,
                () => executor.submit (task).wait_result (-1));
}

// Of what is pending, the lowest number goes first, also if it was changed.
private void test_priorities (Dray.Executor executor) throws Error {
  int[] priorities = { 0, -1, 0 };
  Dray.Future[] futures = {};

  executor.max_workers = 1;
  executor.paused = true;
  foreach (var priority in priorities) {
    var task = new Dray.Task.call ("take-turn", null);
    task.set_priority (priority);
    futures += executor.submit (task);
  }
  assert (futures[2].set_priority (-5));
  assert (futures[2].get_priority () == -5);
  executor.paused = false;
  for (uint i = 0; i < futures.length; i++)
    assert (futures[i].wait_result (-1).get_uint32 () == futures.length - 1 - i);
}

public int main (string[] args) {
  if (Dray.Worker.is_requested (args))
    return Worker.run ();

  Test.init (ref args);
  add_async ("/vala/calls/yielding", new Yielding ());
  add_async ("/vala/calls/catching", new Catching ());
  add_async ("/vala/calls/cancelling", new Cancelling ());
  add_async ("/vala/calls/ending", new Ending ());
  add ("/vala/calls/callbacks", test_callbacks);
  add ("/vala/calls/errors", test_errors);
  add ("/vala/calls/death", test_death);
  add ("/vala/calls/confirming", test_confirming);
  add ("/vala/calls/cancelling-all", test_cancelling_all);
  add ("/vala/calls/cancel-signal", test_cancel_signal);
  add ("/vala/calls/sharing", test_sharing);
  add ("/vala/calls/retries", test_retries);
  add ("/vala/calls/jobs", test_jobs);
  add ("/vala/calls/time-limit", test_time_limit);
  add ("/vala/calls/priorities", test_priorities);
  return Test.run ();
}
