#!/usr/bin/env -S gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Loads all files of a folder in worker processes, while the window stays alive.
//
// Usage: gjs -m file-loader.js [--exit-when-done] [--screenshot=FILE] [FOLDER]

import Dray from 'gi://Dray?version=1';
import Gettext from 'gettext';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

const PROGRAM = GLib.filename_from_uri(import.meta.url)[0];
const BATCH = 100;
const CHUNK = 1 << 20;
const TIME_LIMIT = 60000;  // milliseconds for one file

const _ = Gettext.domain('dray').gettext;

// --- In the worker processes ---

// Streams the names and addresses of a folder's files, so many at a time.
function listFiles(job, args) {
    const folder = Gio.File.new_for_uri(args.deepUnpack()[0]);
    const found = folder.enumerate_children(
        'standard::name,standard::display-name,standard::type',
        Gio.FileQueryInfoFlags.NONE, job.get_cancellable());
    let batch = [];
    for (let info; (info = found.next_file(job.get_cancellable())) !== null;) {
        if (info.get_file_type() !== Gio.FileType.DIRECTORY)
            batch.push([info.get_display_name(), found.get_child(info).get_uri()]);
        if (batch.length === BATCH) {
            job.emit(new GLib.Variant('a(ss)', batch));
            batch = [];
        }
    }
    job.emit(new GLib.Variant('a(ss)', batch));
    return null;
}

// Reads a file, and returns its size, its type and its checksum.
function loadFile(job, args) {
    const file = Gio.File.new_for_uri(args.deepUnpack()[0]);
    const cancellable = job.get_cancellable();
    const info = file.query_info('standard::size,standard::content-type',
        Gio.FileQueryInfoFlags.NONE, cancellable);
    const stream = file.read(cancellable);
    const checksum = new GLib.Checksum(GLib.ChecksumType.SHA256);
    let nRead = 0;
    for (let bytes; (bytes = stream.read_bytes(CHUNK, cancellable)).get_size() > 0;) {
        checksum.update(bytes.toArray());
        nRead += bytes.get_size();
        job.set_progress(Math.min(nRead / Math.max(info.get_size(), 1), 1), null);
    }
    return new GLib.Variant('(tss)', [nRead, info.get_content_type() ?? '', checksum.get_string()]);
}

if (ARGV.includes('--worker')) {
    const worker = Dray.Worker.new();
    worker.add_typed_function('list', new GLib.VariantType('(s)'), listFiles);
    worker.add_typed_function('load', new GLib.VariantType('(s)'), loadFile);
    System.exit(worker.run());
}

// --- In the application ---

// A worker has no display, and needs no GTK: nothing but this can import where it likes.
imports.gi.versions.Gtk = '3.0';
const {Gdk, GObject, Gtk} = imports.gi;

Gio._promisify(Dray.Executor.prototype, 'shutdown_async');
Gio._promisify(Dray.Future.prototype, 'result_async');

const [NAME, SIZE, TYPE, PERCENT, TEXT, COLOR] = Array(6).keys();

class FileLoader {
    constructor(options) {
        this.options = options;
        this.executor = Dray.Executor.new(
            Dray.Launcher.new_argv(['gjs', '-m', PROGRAM, '--worker']));
        this.load = new Gio.Cancellable();  // the current load; what belongs to another is old
        this.rows = new Gtk.ListStore();
        this.rows.set_column_types([NAME, SIZE, TYPE, PERCENT, TEXT, COLOR].map(
            column => column === PERCENT ? GObject.TYPE_INT : GObject.TYPE_STRING));
        this.buildWindow();
        this.window.show_all();
    }

    buildWindow() {
        this.header = new Gtk.HeaderBar({title: _('File Reader'), show_close_button: true});
        const openButton = new Gtk.Button({label: _('Open Folder')});
        openButton.connect('clicked', () => this.choose());
        this.cancelButton = new Gtk.Button({label: _('Cancel'), sensitive: false});
        this.cancelButton.connect('clicked', () => this.load.cancel());
        this.header.pack_start(openButton);
        this.header.pack_end(this.cancelButton);

        const view = new Gtk.TreeView({model: this.rows});
        for (const [title, type, properties, attributes] of [
            [_('Name'), Gtk.CellRendererText, {ellipsize: 2, width_chars: 24}, {text: NAME}],
            [_('Size'), Gtk.CellRendererText, {xalign: 1}, {text: SIZE}],
            [_('Type'), Gtk.CellRendererText, {}, {text: TYPE}],
            [_('Reading'), Gtk.CellRendererProgress, {width: 90}, {value: PERCENT}],
            [_('Contents'), Gtk.CellRendererText, {ellipsize: 3}, {text: TEXT, foreground: COLOR}],
        ]) {
            const column = new Gtk.TreeViewColumn({title});
            const cell = new type(properties);
            column.pack_start(cell, true);
            for (const [name, number] of Object.entries(attributes))
                column.add_attribute(cell, name, number);
            view.append_column(column);
        }
        const box = new Gtk.Box({orientation: Gtk.Orientation.VERTICAL});
        const scroller = new Gtk.ScrolledWindow({expand: true});
        scroller.add(view);
        this.bar = new Gtk.ProgressBar({show_text: true, margin: 6});
        box.add(scroller);
        box.add(this.bar);
        this.window = new Gtk.Window({default_width: 900, default_height: 500});
        this.window.add(box);
        this.window.set_titlebar(this.header);
        this.window.connect('destroy', () => this.end().catch(logError));
    }

    choose() {
        const chooser = Gtk.FileChooserNative.new(_('Open Folder'), this.window,
            Gtk.FileChooserAction.SELECT_FOLDER, null, null);
        if (chooser.run() === Gtk.ResponseType.ACCEPT)
            this.open(chooser.get_file()).catch(logError);
    }

    submit(name, uri) {
        const task = Dray.Task.new_call(name, new GLib.Variant('(s)', [uri]));
        task.set_time_limit(TIME_LIMIT);
        return this.executor.submit(task, this.load);
    }

    // Lists a folder, loads what is found as it is found, and waits for all of it.
    async open(folder) {
        this.load.cancel();
        const load = this.load = new Gio.Cancellable();
        this.rows.clear();
        this.counts = {found: 0, loaded: 0, failed: 0, cancelled: 0};
        this.cancelButton.sensitive = true;
        this.header.subtitle = folder.get_parse_name();
        const files = [];
        const listing = this.submit('list', folder.get_uri());
        listing.connect('item', (_future, batch) => {
            if (load === this.load)
                files.push(...batch.deepUnpack().map(([name, uri]) => this.read(name, uri, load)));
        });
        try {
            await listing.result_async(null);
        } catch (error) {
            if (load === this.load)
                this.header.subtitle = error.message;
        }
        await Promise.all(files);
        if (load !== this.load)
            return;
        this.cancelButton.sensitive = false;
        if (this.options.exitWhenDone) {
            // When all that changed was drawn.
            this.drawn = this.window.get_frame_clock().connect('after-paint',
                clock => this.finish(clock));
            this.window.queue_draw();
        }
    }

    // Reads one file into a row of its own.
    async read(name, uri, load) {
        const row = this.rows.append();
        this.rows.set(row, [NAME], [name]);
        this.counts.found++;
        const future = this.submit('load', uri);
        future.connect('progressed', (_future, fraction) => {
            if (load === this.load)
                this.rows.set(row, [PERCENT], [Math.floor(100 * fraction)]);
        });
        let outcome = 'loaded';
        let values = null;
        try {
            const [size, type, checksum] = (await future.result_async(null)).deepUnpack();
            values = [[SIZE, TYPE, PERCENT, TEXT], [GLib.format_size(size), type, 100, checksum]];
        } catch (error) {
            values = [[TEXT, COLOR], [error.message, 'red']];
            const cancelled = error.matches?.(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED);
            outcome = cancelled ? 'cancelled' : 'failed';
        }
        if (load !== this.load)
            return;
        this.rows.set(row, ...values);
        this.counts[outcome]++;
        const {found, loaded, failed, cancelled} = this.counts;
        this.bar.fraction = (loaded + failed + cancelled) / found;
        this.bar.text = `${loaded + failed + cancelled} / ${found}`;
    }

    finish(clock) {
        clock.disconnect(this.drawn);
        if (this.options.screenshot) {
            const window = this.window.get_window();
            Gdk.pixbuf_get_from_window(window, 0, 0, window.get_width(), window.get_height())
                .savev(this.options.screenshot, 'png', [], []);
        }
        print(Object.entries(this.counts).map(([what, n]) => `${what}=${n}`).join(' '));
        this.window.destroy();
    }

    async end() {
        this.load.cancel();
        this.load = null;
        await this.executor.shutdown_async(Dray.ShutdownMode.TERMINATE, null);
        Gtk.main_quit();
    }
}

Gtk.init(null);
const loader = new FileLoader({
    exitWhenDone: ARGV.includes('--exit-when-done'),
    screenshot: ARGV.find(word => word.startsWith('--screenshot='))?.slice('--screenshot='.length),
});
const folder = ARGV.find(word => !word.startsWith('--'));
if (folder)
    loader.open(Gio.File.new_for_commandline_arg(folder)).catch(logError);
Gtk.main();
