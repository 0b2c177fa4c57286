// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Shows that items, progress, bytes, open files and the output of commands reach JavaScript.

import Dray from 'gi://Dray?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {assert, equal, fails, makeLauncher, result, run, until} from './harness.js';

const NUMBERS = [...Array(50).keys()];

function submit(executor, name, args = null, pull = false) {
    const task = Dray.Task.new_call(name, args);
    task.set_pull(pull);
    return executor.submit(task, null);
}

function command(executor, argv, {split = Dray.Split.NONE, text = null} = {}) {
    const task = Dray.Task.new_command(argv);
    task.set_split(split);
    task.set_encoding(Dray.Encoding.UTF8);
    if (text !== null)
        task.set_input_bytes(new GLib.Bytes(new TextEncoder().encode(text)));
    return executor.submit(task, null);
}

// Items come in order, all before the end; the last progress comes, too.
async function pushed(executor) {
    const said = [];
    let report = null;
    const future = submit(executor, 'count', new GLib.Variant('(u)', [50]));
    future.connect('item', (_future, value) => said.push(value.unpack()));
    future.connect('progressed', (_future, fraction, status) => (report = [fraction, status]));
    future.add_done_callback(() => said.push('done'));
    await until(() => said.includes('done'));
    equal(said, [...NUMBERS, 'done']);
    equal(report, [1, '50 of 50']);
    equal([future.progress, future.status], report);
    equal(future.dup_result().unpack(), 1225);
}

// Whoever pulls gets each item once, one at a time or several, then null.
async function pulled(executor) {
    const future = submit(executor, 'count', new GLib.Variant('(u)', [50]), true);
    const seen = [future.wait_next_item(-1, null).unpack()];
    seen.push(...future.wait_next_items(3, -1, null).map(value => value.unpack()));
    seen.push((await future.next_item_async(null)).unpack());
    for (;;) {
        const values = await future.next_items_async(7, null);
        if (values === null || values.length === 0)
            break;
        assert(values.length <= 7);
        seen.push(...values.map(value => value.unpack()));
    }
    equal(seen, NUMBERS);
    equal(future.wait_next_item(-1, null), null);
}

// At the end of a task that failed, pulling throws what it failed with.
async function pulledError(executor) {
    const future = submit(executor, 'open-missing', null, true);
    await fails(Gio.IOErrorEnum, Gio.IOErrorEnum.NOT_FOUND, future.next_item_async(null));
}

// Items that nobody pulls any more do not hold up their task.
async function discarded(executor) {
    const nItems = 3000;  // more than are read ahead
    const future = submit(executor, 'count', new GLib.Variant('(u)', [nItems]), true);
    equal((await future.next_item_async(null)).unpack(), 0);
    future.discard_items();
    equal((await result(future)).unpack(), nItems * (nItems - 1) / 2);
    equal(future.wait_next_item(-1, null), null);
    equal(executor.dup_counters().undelivered_items, 0);
}

// A megabyte goes in and comes back, through pipes and through memory that is or is not trusted.
// Its bytes need not be a list of numbers.
async function bytes() {
    const data = new Uint8Array(1 << 20).map((_, i) => i % 251);
    const value = GLib.Variant.new_from_bytes(
        new GLib.VariantType('ay'), new GLib.Bytes(data), true);
    for (const [sharedSize, trusted] of [[2 ** 30, false], [2 ** 16, false], [2 ** 30, true]]) {
        const launcher = makeLauncher();
        launcher.set_shared_size(sharedSize);
        launcher.set_trusted(trusted);
        const executor = Dray.Executor.new(launcher);
        const reversed = await executor.call_async('reverse', value, null);
        const back = reversed.get_data_as_bytes().toArray();
        equal(back.length, data.length, 'the length');
        assert(back.every((byte, i) => byte === data[data.length - 1 - i]));
        await executor.shutdown_async(Dray.ShutdownMode.DRAIN, null);
    }
}

// An open file of the application's goes to a worker, and comes back.
async function attachments(executor) {
    const [file, created] = Gio.File.new_tmp('dray-XXXXXX');
    created.output_stream.write_all('grüß Gott', null);
    created.close(null);
    const stream = file.read(null);
    file.delete(null);
    const task = Dray.Task.new_call('pass-on', null);
    const files = new Gio.UnixFDList();
    files.append(stream.get_fd());
    task.set_attachments(files);
    stream.close(null);
    const future = executor.submit(task, null);
    const index = (await result(future)).unpack();
    const input = new Gio.UnixInputStream({
        fd: future.dup_attachments().get(index), close_fd: true,
    });
    const text = input.read_bytes(100, null).toArray();
    equal(new TextDecoder().decode(text), 'grüß Gott');
    input.close(null);
}

// The output of a command is its result, or comes in lines.
async function output(executor) {
    equal((await result(command(executor, ['sort'], {text: 'b\na\n'}))).unpack(), 'a\nb\n');
    const lines = [];
    const future = command(executor, ['sort'], {split: Dray.Split.LINES, text: 'b\na\n'});
    future.connect('item', (_future, value) => lines.push(value.unpack()));
    await result(future);
    equal(lines, ['a', 'b']);
}

// A command reads an open file, from where it is.
async function inputFd(executor) {
    const [file, created] = Gio.File.new_tmp('dray-XXXXXX');
    created.output_stream.write_all('vorbei, grün', null);
    created.close(null);
    const stream = file.read(null);
    file.delete(null);
    const task = Dray.Task.new_command(['cat']);
    task.set_encoding(Dray.Encoding.UTF8);
    await fails(Gio.IOErrorEnum, Gio.IOErrorEnum.FAILED,
        (async () => task.set_input_fd(1 << 20))());
    stream.seek('vorbei, '.length, GLib.SeekType.SET, null);
    assert(task.set_input_fd(stream.get_fd()));
    stream.close(null);
    equal((await executor.run_async(task, null)).unpack(), 'grün');
}

// Output that is too large, and a line that is too long, fail their tasks.
async function maxSizes(executor) {
    const task = Dray.Task.new_command(['echo', 'four']);
    task.set_encoding(Dray.Encoding.UTF8);
    task.set_max_output_size(5);
    equal((await executor.run_async(task, null)).unpack(), 'four\n');
    const largeTask = Dray.Task.new_command(['echo', 'four']);
    largeTask.set_max_output_size(4);
    await fails(Dray.Error, Dray.Error.TOO_LARGE, executor.run_async(largeTask, null));

    const longTask = Dray.Task.new_command(['printf', 'four\\nfive!\\n']);
    longTask.set_encoding(Dray.Encoding.UTF8);
    longTask.set_split(Dray.Split.LINES);
    longTask.set_max_record_size(4);
    longTask.set_pull(true);
    const future = executor.submit(longTask, null);
    equal((await future.next_item_async(null)).unpack(), 'four');
    await fails(Dray.Error, Dray.Error.TOO_LARGE, future.next_item_async(null));
}

// An exit status and a signal are the codes of two domains of errors.
async function failures(executor) {
    const error = await fails(GLib.spawn_exit_error_quark(), 3,
        result(command(executor, ['sh', '-c', 'echo why >&2; exit 3'])));
    assert(error.message.includes('why'));
    await fails(Dray.SignalError, Dray.SignalError.TERMINATE,
        result(command(executor, ['sh', '-c', 'kill $$'])));
    await fails(Dray.Error, Dray.Error.LAUNCH, result(command(executor, ['/no/such/program'])));
}

// What was set is there to be read, lists of words as well.
async function settings() {
    const task = Dray.Task.new_command(['true', 'ä']);
    equal(task.get_argv(), ['true', 'ä']);
    task.set_environment(['A=1', 'B=ö']);
    equal(task.get_environment(), ['A=1', 'B=ö']);
    equal(task.get_kind(), Dray.TaskKind.COMMAND);
    equal([task.get_function(), task.get_key()], [null, null]);
    task.set_directory('/');
    equal(task.get_directory(), '/');
}

run(pushed, pulled, pulledError, discarded, bytes, attachments, output, inputFd, maxSizes, failures,
    settings);
