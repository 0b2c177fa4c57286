// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Shows that launchers, and the lists of futures and workers, can be used from JavaScript.

import Dray from 'gi://Dray?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {GRACE, assert, equal, fails, makeLauncher, result, run, until} from './harness.js';

const SIGTERM = 15;

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

// Workers can be a program of the library, which loads a module.
async function module() {
    const launcher = Dray.Launcher.new_module(
        `${GLib.getenv('G_TEST_BUILDDIR')}/worker-module.so`);
    launcher.set_initial_arguments(new GLib.Variant('s', 'Grüß Gott'));
    await using(launcher, async executor => {
        const value = await executor.call_async('greet', new GLib.Variant('(s)', ['Dray']), null);
        equal(value.unpack(), 'Grüß Gott, Dray!');
    });
}

// This same program is the interpreter, which knows nothing of workers, and says so.
async function self() {
    const launcher = Dray.Launcher.new_self();
    equal(launcher.dup_argv().slice(1), ['--dray-worker']);
    await using(launcher, async executor => {
        const error = await fails(Dray.Error, Dray.Error.LAUNCH,
            executor.call_async('nothing', null, null));
        assert(error.message.includes('--dray-worker'), error.message);
    });
}

// What a worker said last is told when it died, unless it was said elsewhere.
async function standardError() {
    for (const [mode, told] of [[Dray.Stderr.CAPTURE, true], [Dray.Stderr.INHERIT, false]]) {
        const launcher = makeLauncher();
        launcher.set_stderr(mode);
        await using(launcher, async executor => {
            const error = await fails(Dray.Error, Dray.Error.WORKER_DIED,
                executor.call_async('die', null, null));
            equal(error.message.includes('last words'), told);
        });
    }
}

// A worker that ends in good order calls its finaliser.
async function finalizer() {
    const folder = GLib.dir_make_tmp('dray-XXXXXX');
    const file = Gio.File.new_for_path(`${folder}/finished`);
    const launcher = makeLauncher();
    launcher.setenv('DRAY_TEST_FINISHED', file.get_path());
    const executor = new Dray.Executor({launcher, grace_period: GRACE});
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
    launcher.set_sandbox(Dray.Sandbox.STRICT);
    launcher.set_sandbox_need(Dray.SandboxNeed.PREFERRED);
    equal([launcher.sandbox, launcher.sandbox_need],
        [Dray.Sandbox.STRICT, Dray.SandboxNeed.PREFERRED]);
    assert(Dray.Worker.is_requested(['program', '--dray-worker']));
    assert(!Dray.Worker.is_requested(['program']));
}

// An interpreter works without the network, where the machine has sandboxes.
async function sandbox() {
    const launcher = makeLauncher();
    launcher.set_sandbox(Dray.Sandbox.NO_NETWORK);
    launcher.set_sandbox_need(Dray.SandboxNeed.PREFERRED);
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

// A worker process tells what it is doing, what it has done, and how it ended.
async function workerProcess(executor) {
    executor.set_max_workers(1);
    for (let i = 0; i < 3; i++)
        await executor.call_async('nothing', null, null);
    await until(() => executor.get_workers().get_n_items() === 1);
    const worker = executor.get_workers().get_item(0);
    await until(() => worker.get_tasks_done() === 3);
    equal([worker.get_task(), worker.get_wait_status()], [null, -1]);
    const future = executor.call('wait-for-cancel', null);
    await until(() => worker.task !== null);
    equal(worker.task.get_function(), 'wait-for-cancel');
    equal(worker.get_pid(), worker.pid);
    assert(worker.get_start_time().equal(worker.start_time));
    GLib.spawn_command_line_sync(`kill -TERM ${worker.get_pid()}`);
    await until(() => worker.get_state() === Dray.WorkerState.GONE);
    await fails(Dray.Error, Dray.Error.WORKER_DIED, result(future));
    equal([worker.tasks_done, worker.wait_status], [3, worker.get_wait_status()]);
    equal(worker.get_wait_status() & 0x7f, SIGTERM, 'the signal that the worker died of');
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

run(surroundings, noWorker, module, self, standardError, finalizer, settings, sandbox, lists,
    workerProcess, properties, counters);
