// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Shows that items, progress, bytes, open files and the output of commands reach JavaScript.

import Dray from 'gi://Dray?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {assert, equal, fails, result, run, until} from './harness.js';

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

// A megabyte goes in and comes back, and its bytes need not be a list of numbers.
async function bytes(executor) {
    const data = new Uint8Array(1 << 20).map((_, i) => i % 251);
    const value = GLib.Variant.new_from_bytes(
        new GLib.VariantType('ay'), new GLib.Bytes(data), true);
    const reversed = await executor.call_async('reverse', value, null);
    const back = reversed.get_data_as_bytes().toArray();
    equal(back.length, data.length, 'the length');
    assert(back.every((byte, i) => byte === data[data.length - 1 - i]));
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

run(pushed, pulled, pulledError, bytes, attachments, output, failures, settings);
