// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Shows that launchers, and the lists of futures and workers, can be used from JavaScript.

import Dray from 'gi://Dray?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {assert, equal, fails, makeLauncher, result, run, until} from './harness.js';

// Makes an executor for as long as a function needs it.
async function using(launcher, use) {
    const executor = Dray.Executor.new(launcher);
    try {
        return await use(executor);
    } finally {
        await executor.shutdown_async(Dray.ShutdownMode.TERMINATE, null);
    }
}

// A worker has the environment, directory and value that were set.
async function surroundings() {
    const launcher = makeLauncher();
    launcher.setenv('DRAY_TEST', 'grün');
    launcher.set_directory('/usr');
    launcher.set_limit(Dray.Limit.OPEN_FILES, 64);
    launcher.set_niceness(3);
    launcher.set_initial_arguments(new GLib.Variant('(s)', ['first']));
    await using(launcher, async executor => {
        const said = (await executor.call_async('tell', null, null)).recursiveUnpack();
        equal([said.function, said.attempt, said.variable, said.directory, said.initial],
            ['tell', '1', 'grün', '/usr', "('first',)"]);
    });
}

// An error that the initialiser throws is the reason why there is no worker; so is a program that
// is missing.
async function noWorker() {
    const launcher = makeLauncher();
    launcher.set_initial_arguments(new GLib.Variant('(s)', ['refuse']));
    await using(launcher, async executor => {
        const error = await fails(Dray.Error, Dray.Error.LAUNCH,
            executor.call_async('nothing', null, null));
        assert(error.message.includes('refused'), error.message);
    });
    await using(Dray.Launcher.new_argv(['/no/such/program']), executor => fails(
        Dray.Error, Dray.Error.LAUNCH, executor.call_async('nothing', null, null)));
}

// A worker that ends in good order calls its finaliser.
async function finalizer() {
    const folder = GLib.dir_make_tmp('dray-XXXXXX');
    const file = Gio.File.new_for_path(`${folder}/finished`);
    const launcher = makeLauncher();
    launcher.setenv('DRAY_TEST_FINISHED', file.get_path());
    const executor = Dray.Executor.new(launcher);
    await executor.call_async('nothing', null, null);
    await executor.shutdown_async(Dray.ShutdownMode.DRAIN, null);
    const [, contents] = file.load_contents(null);
    equal(new TextDecoder().decode(contents), 'all done');
    file.delete(null);
    GLib.rmdir(folder);
}

// What was set is there to be read: lists, values, and two numbers at a time.
async function settings() {
    const launcher = Dray.Launcher.new_argv(['gjs', 'ä']);
    equal(launcher.dup_argv(), ['gjs', 'ä']);
    launcher.set_prefix(['nice']);
    equal(launcher.dup_prefix(), ['nice']);
    launcher.set_io_class(Dray.IoClass.BEST_EFFORT, 5);
    equal(launcher.get_io_class(), [Dray.IoClass.BEST_EFFORT, 5]);
    launcher.set_environment(['A=1']);
    launcher.unsetenv('A');
    equal(launcher.dup_environment(), []);
    equal(launcher.dup_initial_arguments(), null);
    launcher.grant_path('/usr', Dray.Access.READ);
    equal(launcher.dup_granted_paths(Dray.Access.READ), ['/usr']);
    launcher.set_sandbox(Dray.Sandbox.STRICT, Dray.SandboxNeed.PREFERRED);
    equal([launcher.sandbox, launcher.sandbox_need],
        [Dray.Sandbox.STRICT, Dray.SandboxNeed.PREFERRED]);
    assert(Dray.Worker.is_requested(['program', '--dray-worker']));
    assert(!Dray.Worker.is_requested(['program']));
}

// An interpreter works without the network, where the machine has sandboxes.
async function sandbox() {
    const launcher = makeLauncher();
    launcher.set_sandbox(Dray.Sandbox.NO_NETWORK, Dray.SandboxNeed.PREFERRED);
    await using(launcher, async executor => {
        equal((await executor.call_async('nothing', null, null)).print(false), '()');
        if (executor.sandbox_shortfall !== null)
            print(`# ${executor.sandbox_shortfall}`);
    });
}

// The lists of futures and workers are models that tell what changes in them.
async function lists(executor) {
    const [futures, workers] = [executor.get_futures(), executor.get_workers()];
    let nChanges = 0;
    futures.connect('items-changed', () => nChanges++);
    const future = executor.call('wait-for-cancel', null);
    await until(() => workers.get_n_items() === 1 && futures.get_n_items() === 1);
    const worker = workers.get_item(0);
    await until(() => worker.state === Dray.WorkerState.BUSY);
    assert(futures.get_item(0) === future);
    equal(worker.get_task().get_function(), 'wait-for-cancel');
    assert(Gio.File.new_for_path(`/proc/${worker.pid}`).query_exists(null));
    worker.kill();
    await fails(Dray.Error, Dray.Error.WORKER_DIED, result(future));
    await until(() => worker.state === Dray.WorkerState.GONE);
    assert(nChanges >= 2);
}

// Properties are set when an executor is made, and later.
async function properties() {
    const executor = new Dray.Executor({launcher: makeLauncher(), max_workers: 2});
    equal(executor.max_workers, 2);
    executor.max_pending_tasks = 1;
    executor.paused = true;
    const [first, second] = [executor.call('nothing', null), executor.call('nothing', null)];
    await fails(Dray.Error, Dray.Error.QUEUE_FULL, result(second));
    executor.paused = false;
    await result(first);
    await executor.shutdown_async(Dray.ShutdownMode.DRAIN, null);
}

// Counters are a picture, which stays what it is.
async function counters(executor) {
    const before = executor.dup_counters();
    await executor.call_async('count', new GLib.Variant('(u)', [5]), null);
    const after = executor.dup_counters();
    equal([before.submitted, before.items], [0, 0]);
    equal([after.submitted, after.succeeded, after.items], [1, 1, 5]);
    equal(after.copy().submitted, 1);
}

run(surroundings, noWorker, finalizer, settings, sandbox, lists, properties, counters);
