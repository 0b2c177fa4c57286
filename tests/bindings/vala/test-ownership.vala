// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Shows that nothing is freed too early or too late in thousands of calls from Vala.
//
// What is passed is so large that memory would grow by far more than the limit if each round left a
// single one of its values behind, as would an array, a closure or a future that is not freed.

using Support;

private const int N_WARM = 200;
private const int N_ROUNDS = 700;
private const int SIZE = 32 * 1024;        // what a single value of each round adds up to is 22 MiB
private const uint MAX_GROWTH = 16 * 1024; // KiB

// Of what takes a process for each round.
private const int N_FEW_WARM = 10;
private const int N_FEW_ROUNDS = 50;
private const int MORE = 1024 * 1024;      // what a single value of each adds up to is 50 MiB

// Memory that nobody writes to is none that grows.
private Variant make_value (int size = SIZE) {
  var bytes = new Bytes (string.nfill (size, 'x').data);

  return new Variant.from_bytes (VariantType.BYTESTRING, bytes, true);
}

private Variant make_failure () {
  return new Variant ("(sis)", "my-error-quark", 1, string.nfill (SIZE, 'x'));
}

private void expect_failure (Thrower thrower) {
  var error = expect_error (Quark.from_string ("my-error-quark"), 1, thrower);

  assert (error.message.length == SIZE);
}

private Dray.Task new_reversal () {
  return new Dray.Task.call ("reverse", make_value ());
}

private void check_value (Variant value) {
  assert (value.get_size () == SIZE);
}

private void check_result (Dray.Future? future) throws Error {
  check_value (future.dup_result ());
}

// Arguments and results, in callbacks, where one waits, and in asynchronous functions; errors.
private class Calling : Case {
  public override async void run (Dray.Executor executor) throws Error {
    var value = make_value ();
    var future = executor.call ("reverse", value);
    var called = false;

    future.add_done_callback (done => {
      called = done.is_done ();
      check_value (value);
    });
    check_value (future.wait_result (-1));
    check_value (future.get_task ().get_arguments ());
    iterate (() => called);
    check_result (future);

    check_value (yield executor.call_async ("reverse", value));
    check_value (yield executor.run_async (new_reversal ()));
    future = yield executor.submit_async (new_reversal ());
    check_value (yield future.result_async ());
    assert (executor.dup_counters ().succeeded >= 4);
    expect_failure (() => executor.call ("fail", make_failure ()).wait_result (-1));
  }
}

// Items that are pulled, one by one and in arrays, and items that are emitted.
private class Streaming : Case {
  public override async void run (Dray.Executor executor) throws Error {
    var value = make_value ();
    var task = new Dray.Task.call ("repeat", value);
    var n_seen = 0;

    task.set_label (string.nfill (SIZE, 'x'));
    task.set_pull (true);
    var pulled = executor.submit (task);
    assert (pulled.get_task ().get_label ().length == SIZE);
    check_value (yield pulled.next_item_async ());
    GenericArray<Variant>? items = yield pulled.next_items_async (1);
    check_value (items[0]);
    items = pulled.wait_next_items (1, -1);
    check_value (items[0]);
    assert (pulled.wait_next_item (-1) == null);

    var pushed = executor.call ("repeat", value);
    pushed.item.connect (emitted => {
      assert (emitted.equal (value));
      n_seen++;
    });
    yield pushed.result_async ();
    assert (n_seen == 3);
  }
}

// Outcomes, one by one and in arrays, of values, of a generator and of a list.
private class Mapping : Case {
  public override async void run (Dray.Executor executor) throws Error {
    var value = make_value ();
    Variant[] values = { value, value, value, value };
    var store = new ListStore (typeof (Object));
    int left = 2;
    uint64 n_outcomes;

    var map = executor.map_values ("reverse", values);
    check_value (map.wait_next (-1).dup_result ());
    GenericArray<Dray.Outcome>? outcomes = map.wait_next_many (1, -1);
    check_value (outcomes[0].get_value ());
    check_value ((yield map.next_async ()).get_value ());
    outcomes = yield map.next_many_async (1);
    check_value (outcomes[0].get_value ());

    map = executor.map ("reverse", () => left-- > 0 ? value : null);
    check_value (map.wait_next (-1).dup_result ());
    yield map.for_each_async ((_, outcome) => assert (outcome.get_value ().equal (value)), null,
                              out n_outcomes);
    assert (n_outcomes == 1);

    store.append (new Object ());
    map = executor.map_model ("reverse", store, () => value);
    check_value (map.wait_next (-1).dup_result ());

    var failing = executor.map ("fail", () => make_failure ());
    expect_failure (() => failing.wait_next (-1).dup_result ());
    failing.cancel ();
  }
}

// Parts of combined futures, queues and groups, in arrays and out of them. A queue that is dropped
// may have some left, and a group keeps its error.
private class Gathering : Case {
  public override async void run (Dray.Executor executor) throws Error {
    Dray.Future[] parts = {};
    var queue = new Dray.CompletionQueue ();
    var group = new Dray.Group ();

    for (int i = 0; i < 3; i++) {
      parts += executor.submit (new_reversal ());
      queue.add (parts[i]);
      queue.submit (executor, new_reversal ());
    }
    assert ((yield Dray.Future.all (parts).result_async ()).get_size () >= 3 * SIZE);
    check_result (queue.wait_next (-1));
    check_result (yield queue.next_async ());
    GenericArray<Dray.Future>? futures = queue.wait_next_many (1, -1);
    check_result (futures[0]);
    futures = yield queue.next_many_async (1);
    check_result (futures[0]);
    assert (queue.get_length () == 2);

    foreach (var part in parts)
      group.add (part);
    var future = group.submit (executor, new_reversal ());
    assert (yield group.join_async ());
    check_result (future);
    group.submit (executor, new Dray.Task.call ("fail", make_failure ()));
    expect_failure (() => group.join_sync (-1));
  }
}

// Strings, lists of strings and values that are handed out.
private class Describing : Case {
  public override async void run (Dray.Executor executor) throws Error {
    var text = string.nfill (SIZE, 'x');
    var launcher = new Dray.Launcher.argv ({ text });

    assert (launcher.dup_argv ()[0].length == SIZE);
    launcher.set_prefix ({ text });
    assert (launcher.dup_prefix ()[0].length == SIZE && launcher.prefix[0].length == SIZE);
    launcher.set_environment ({ @"A=$text" });
    assert (launcher.dup_environment ()[0].length == SIZE + 2);
    assert (launcher.environment[0].length == SIZE + 2);
    launcher.set_initial_arguments (make_value ());
    check_value (launcher.dup_initial_arguments ());
    check_value (launcher.initial_arguments);
    assert (new Dray.Task.command ({ text }).get_argv ()[0].length == SIZE);
  }
}

private void expect_shut_down (Thrower thrower) {
  expect_error (Dray.Error.quark (), Dray.Error.SHUT_DOWN, thrower);
}

// What an executor was given goes with it where nobody shuts it down, whether it has begun to work
// or not.
private class Dropping : Case {
  private bool works = false;

  public override async void run (Dray.Executor executor) throws Error {
    var value = make_value (MORE);
    var dropped = make_executor ();
    var told = false;

    works = !works;
    if (works)
      dropped.call ("nothing", value).wait_result (-1);
    var future = dropped.call ("wait-for-cancel", value);
    future.add_done_callback (() => told = value.get_size () == MORE);
    var map = dropped.map ("wait-for-cancel", () => value);
    dropped = null;
    iterate (() => told);
    check_ends (future, map);
  }

  // In a function of its own: a map would be kept by a closure of its own that it is in.
  private void check_ends (Dray.Future future, Dray.Map map) {
    expect_shut_down (() => future.dup_result ());
    expect_shut_down (() => map.wait_next (-1).dup_result ());
  }
}

private void check_growth (string where, uint before, uint after) {
  if (after >= before + MAX_GROWTH)
    error ("%s has grown by %u KiB", where, after - before);
}

// Memory grows neither here nor in the worker.
private void repeat (Dray.Executor executor, Case round, int n_warm, int n_rounds) throws Error {
  executor.max_workers = 1;
  for (int i = 0; i < n_warm; i++)
    run_to_end (executor, round);
  uint here = Worker.resident ();
  uint there = executor.call ("resident", null).wait_result (-1).get_uint32 ();
  for (int i = 0; i < n_rounds; i++)
    run_to_end (executor, round);
  check_growth ("the application", here, Worker.resident ());
  check_growth ("the worker", there,
                executor.call ("resident", null).wait_result (-1).get_uint32 ());
}

private void add_rounds (string path, Case round, int n_warm = N_WARM, int n_rounds = N_ROUNDS) {
  add (path, executor => repeat (executor, round, n_warm, n_rounds));
}

public int main (string[] args) {
  if (Dray.Worker.is_requested (args))
    return Worker.run ();

  Test.init (ref args);
  add_rounds ("/vala/ownership/calling", new Calling ());
  add_rounds ("/vala/ownership/streaming", new Streaming ());
  add_rounds ("/vala/ownership/mapping", new Mapping ());
  add_rounds ("/vala/ownership/gathering", new Gathering ());
  add_rounds ("/vala/ownership/describing", new Describing ());
  add_rounds ("/vala/ownership/dropping", new Dropping (), N_FEW_WARM, N_FEW_ROUNDS);
  return Test.run ();
}
