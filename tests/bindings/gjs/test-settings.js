// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Shows that what can be set from JavaScript is there to be read, by its function and as a
// property.

import Dray from 'gi://Dray?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {assert, equal, fails, makeLauncher, result, run, until} from './harness.js';

const LARGE = 2 ** 40;  // more than 32 bits have

function number(n) {
    return new GLib.Variant('(i)', [n]);
}

// Every property of an executor can be given to a new one, and is set, read and notified later.
async function executorProperties() {
    const launcher = makeLauncher();
    const executor = new Dray.Executor({launcher, grace_period: 7, slice: 1500, paused: true});
    equal([executor.grace_period, executor.slice, executor.paused], [7, 1500, true]);
    assert(executor.get_paused());
    assert(executor.get_launcher() === launcher && executor.launcher === launcher);

    const told = [];
    executor.connect('notify', (_executor, pspec) => told.push(pspec.get_name()));
    executor.delivery_priority = 50;
    executor.idle_timeout = 8;
    executor.launch_timeout = 9000;
    executor.max_message_size = 2 ** 20;
    executor.max_pending_bytes = LARGE;
    executor.max_tasks_per_worker = 12;
    executor.max_undelivered_bytes = LARGE + 1;
    executor.max_undelivered_bytes_per_future = LARGE + 2;
    executor.max_undelivered_items = 13;
    executor.max_undelivered_items_per_future = 14;
    executor.set_max_workers(3);
    equal(told, ['delivery-priority', 'idle-timeout', 'launch-timeout', 'max-message-size',
        'max-pending-bytes', 'max-tasks-per-worker', 'max-undelivered-bytes',
        'max-undelivered-bytes-per-future', 'max-undelivered-items',
        'max-undelivered-items-per-future', 'max-workers']);
    equal([executor.delivery_priority, executor.idle_timeout, executor.launch_timeout,
        executor.max_message_size, executor.max_pending_bytes, executor.max_tasks_per_worker,
        executor.max_undelivered_bytes, executor.max_undelivered_bytes_per_future,
        executor.max_undelivered_items, executor.max_undelivered_items_per_future,
        executor.get_max_workers()],
    [50, 8, 9000, 2 ** 20, LARGE, 12, LARGE + 1, LARGE + 2, 13, 14, 3]);

    assert(!executor.is_shut_down());
    assert(executor.shutdown_sync(Dray.ShutdownMode.DRAIN, null));
    assert(executor.is_shut_down());
}

// An executor does what such a property says: a larger value is refused.
async function maxMessageSize() {
    const executor = new Dray.Executor({launcher: makeLauncher(), max_message_size: 4096});
    const value = new GLib.Variant('s', 'x'.repeat(5000));
    await fails(Dray.Error, Dray.Error.TOO_LARGE, executor.call_async('echo', value, null));
    await executor.shutdown_async(Dray.ShutdownMode.DRAIN, null);
}

// What a function of a launcher sets, another gets, and so does the property.
async function launcherFunctions() {
    const launcher = makeLauncher();
    equal(launcher.dup_directory(), null);
    launcher.set_directory('/usr');
    equal([launcher.dup_directory(), launcher.directory], ['/usr', '/usr']);
    launcher.set_directory(null);
    equal(launcher.directory, null);
    launcher.set_limit(Dray.Limit.CORE_SIZE, LARGE);
    equal(launcher.get_limit(Dray.Limit.CORE_SIZE), LARGE);
    launcher.set_niceness(4);
    equal([launcher.get_niceness(), launcher.niceness], [4, 4]);
    launcher.set_shared_size(LARGE);
    equal([launcher.get_shared_size(), launcher.shared_size], [LARGE, LARGE]);
    launcher.set_trusted(true);
    assert(launcher.get_trusted() && launcher.trusted);
    launcher.set_stderr(Dray.Stderr.INHERIT);
    equal([launcher.get_stderr(), launcher.stderr], [Dray.Stderr.INHERIT, Dray.Stderr.INHERIT]);
}

// What was set as a property of a launcher is told by the function, lists and values as well.
async function launcherProperties() {
    const launcher = new Dray.Launcher({argv: ['true', 'ä'], niceness: 2});
    equal([launcher.argv, launcher.get_niceness()], [['true', 'ä'], 2]);
    launcher.prefix = ['nice', 'ö'];
    launcher.environment = ['A=ü'];
    launcher.initial_arguments = new GLib.Variant('(s)', ['first']);
    launcher.sandbox = Dray.Sandbox.READ_ONLY;
    launcher.sandbox_need = Dray.SandboxNeed.PREFERRED;
    equal([launcher.dup_prefix(), launcher.prefix], [['nice', 'ö'], ['nice', 'ö']]);
    equal([launcher.dup_environment(), launcher.environment], [['A=ü'], ['A=ü']]);
    equal(launcher.dup_initial_arguments().deepUnpack(), ['first']);
    equal(launcher.initial_arguments.deepUnpack(), ['first']);
    equal([launcher.get_sandbox(), launcher.get_sandbox_need()],
        [Dray.Sandbox.READ_ONLY, Dray.SandboxNeed.PREFERRED]);
    launcher.set_prefix(null);
    launcher.set_initial_arguments(null);
    equal(launcher.dup_prefix() ?? [], []);
    equal(launcher.initial_arguments, null);
}

// A call has all that was set, and what it may lack is null.
async function calls() {
    const task = Dray.Task.new_call('echo', null);
    equal([task.get_attachments(), task.get_pull()], [null, false]);
    equal(task.get_kind(), Dray.TaskKind.CALL);
    const [file, stream] = Gio.File.new_tmp('dray-XXXXXX');
    const opened = file.read(null);
    const files = new Gio.UnixFDList();
    files.append(opened.get_fd());
    assert(task.set_attachments(files));
    equal(task.get_attachments().get_length(), 1);
    task.set_attachments(null);
    equal(task.get_attachments(), null);
    file.delete(null);
    [opened, stream].forEach(one => one.close(null));

    task.set_key('ключ');
    equal(task.get_key(), 'ключ');
    task.set_key(null);
    equal(task.get_key(), null);
    task.set_label('ярлык');
    task.set_cancel_mode(Dray.CancelMode.CONFIRMED);
    task.set_max_retries(3);
    task.set_priority(-7);
    task.set_pull(true);
    task.set_time_limit(60000);
    equal([task.get_label(), task.get_cancel_mode(), task.get_max_retries(), task.get_priority(),
        task.get_pull(), task.get_time_limit()],
    ['ярлык', Dray.CancelMode.CONFIRMED, 3, -7, true, 60000]);
}

// So has a command, sizes beyond 32 bits included.
async function commands() {
    const task = Dray.Task.new_command(['true']);
    equal([task.get_input_bytes(), task.get_directory(), task.get_arguments()],
        [null, null, null]);
    task.set_input_bytes(new GLib.Bytes(new TextEncoder().encode('ä')));
    equal(new TextDecoder().decode(task.get_input_bytes().toArray()), 'ä');
    task.set_encoding(Dray.Encoding.UTF8);
    task.set_split(Dray.Split.RECORDS);
    task.set_max_output_size(LARGE);
    task.set_max_record_size(LARGE + 1);
    equal([task.get_encoding(), task.get_split(), task.get_max_output_size(),
        task.get_max_record_size()],
    [Dray.Encoding.UTF8, Dray.Split.RECORDS, LARGE, LARGE + 1]);
}

// A map tells how it goes, and which task its calls are.
async function maps(executor) {
    const map = executor.map_values('square', [3, 4].map(number));
    map.ordered = true;
    map.max_in_flight = 5;
    equal([map.get_ordered(), map.get_max_in_flight()], [true, 5]);
    equal([map.ordered, map.max_in_flight], [true, 5]);
    equal([map.get_task().get_function(), map.task.get_function()], ['square', 'square']);
    equal(map.wait_next_many(1, -1, null).map(outcome => outcome.get_value().unpack()), [9]);
    equal(map.wait_next_many(5, -1, null).map(outcome => outcome.get_value().unpack()), [16]);
}

// A future tells of itself.
async function futures(executor) {
    const task = Dray.Task.new_call('count', new GLib.Variant('(u)', [5]));
    task.set_label('of five');
    const future = executor.submit(task, null);
    const otherFuture = executor.call('nothing', null);
    assert(future.wait(-1, null) && future.is_done());
    await until(() => future.progress === 1);
    equal([future.get_progress(), future.dup_status()], [1, '5 of 5']);
    equal([future.get_task().get_label(), future.task.get_label()], ['of five', 'of five']);
    assert(future.id > 0 && future.id === future.get_id() && future.id !== otherFuture.get_id());
    await result(otherFuture);
}

run(executorProperties, maxMessageSize, launcherFunctions, launcherProperties, calls, commands,
    maps, futures);
