/** A real VS Code with our extension in it: what stands on its screen, and keys as a person presses them. */

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { chromium } from 'playwright-core';

import { tools } from './tools.mjs';

/** How long something may take on a busy machine before the test fails. */
export const PATIENCE_MS = Number(process.env.KEYSIDE_PATIENCE_MS ?? 45_000);

/** How long the whole editor may take to start. */
const BOOT_PATIENCE_MS = 120_000;

/** Settings that keep the editor from doing what is not asked for. */
const SETTINGS = {
    'workbench.startupEditor': 'none',
    'workbench.tips.enabled': false,
    'workbench.secondarySideBar.defaultVisibility': 'hidden',
    'chat.disableAIFeatures': true,
    'telemetry.telemetryLevel': 'off',
    'update.mode': 'none',
    'extensions.autoUpdate': false,
    'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
    'editor.minimap.enabled': false,
    'editor.renderWhitespace': 'none',
    'editor.stickyScroll.enabled': false,
    'editor.occurrencesHighlight': 'off',
    'editor.bracketPairColorization.enabled': false,
    'window.dialogStyle': 'custom',
    'files.autoSave': 'off',
    'files.simpleDialog.enable': true,
};

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Waits until `look` gives something that is true, and gives it. */
export async function until(what, look, patience_ms = PATIENCE_MS) {
    const began = Date.now();
    let last;
    for (;;) {
        last = await look();
        if (last) {
            return last;
        }
        if (Date.now() - began > patience_ms) {
            throw new Error(`${what}: not seen within ${patience_ms} ms`);
        }
        await sleep(30);
    }
}

/** A free port of this machine. */
async function freePort() {
    const server = net.createServer();
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address();
    await new Promise((done) => server.close(done));
    return port;
}

export class Editor {
    /** Starts the editor on a workspace with these files. `home` is KEYSIDE_HOME. */
    static async start({ vsix, files, settings = {} }) {
        const all = tools();
        const root = mkdtempSync(path.join(os.tmpdir(), 'keyside-vscode-'));
        const at = (name) => path.join(root, name);
        for (const name of ['workspace', 'user/User', 'user/Machine', 'extensions', 'home']) {
            mkdirSync(at(name), { recursive: true });
        }
        for (const [name, text] of Object.entries(files)) {
            writeFileSync(at(`workspace/${name}`), text);
        }
        writeFileSync(at('user/User/settings.json'), JSON.stringify({ ...SETTINGS, ...settings }));
        writeFileSync(at('user/Machine/settings.json'), '{}');
        writeFileSync(at('config.yaml'), '');
        const env = { ...process.env, KEYSIDE_HOME: at('home'), HOME: at('home'), XDG_CONFIG_HOME: at('home') };
        // A terminal of another VS Code says so in these.
        for (const name of Object.keys(env).filter((it) => it.startsWith('VSCODE_') || it === 'KEYSIDE_SERVER_PATH')) {
            delete env[name];
        }
        const base = [all.codeServer, '--config', at('config.yaml'), '--user-data-dir', at('user'), '--extensions-dir', at('extensions')];
        execFileSync(all.node, [...base, '--install-extension', vsix], { env, stdio: 'ignore' });
        const port = await freePort();
        const quiet = ['--auth', 'none', '--disable-telemetry', '--disable-update-check', '--disable-workspace-trust'];
        const server = spawn(all.node, [...base, ...quiet, '--bind-addr', `127.0.0.1:${port}`, at('workspace')], {
            env,
            stdio: 'ignore',
            detached: true,
        });
        const editor = new Editor();
        Object.assign(editor, { root, port, server, extensions: at('extensions') });
        try {
            await until('code-server answers', () => fetch(`http://127.0.0.1:${port}/healthz`).then((it) => it.ok, () => false), BOOT_PATIENCE_MS);
            editor.browser = await chromium.launch({
                executablePath: all.chromium,
                args: ['--no-sandbox', '--disable-gpu'],
                env: { ...process.env, ...all.env },
            });
            const context = await editor.browser.newContext({ viewport: { width: 1400, height: 900 } });
            editor.page = await context.newPage();
            editor.page.setDefaultTimeout(PATIENCE_MS);
            await editor.page.goto(`http://127.0.0.1:${port}/?folder=${at('workspace')}`, { waitUntil: 'domcontentloaded' });
            await until('the status bar', () => editor.status(), BOOT_PATIENCE_MS);
        } catch (error) {
            await editor.stop();
            throw error;
        }
        return editor;
    }

    async stop() {
        await this.browser?.close();
        try {
            process.kill(-this.server.pid, 'SIGTERM');
        } catch {
            // It has ended.
        }
        await sleep(300);
        if (!process.env.KEYSIDE_KEEP) {
            rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
        }
    }

    /** The text of keyside's item in the status bar, and what a screen reader says of it. */
    async status() {
        return await this.page.evaluate(() => {
            const item = document.querySelector('.statusbar-item[id="keyside.keyside.keyside.status"]')
                ?? document.querySelector('.statusbar-item[id*="keyside.status"]');
            return item && { text: item.textContent.trim(), label: item.getAttribute('aria-label') ?? item.querySelector('a')?.getAttribute('aria-label') ?? '' };
        });
    }

    async untilStatus(text, label = '') {
        return await until(`the status “${text} ${label}”`, async () => {
            const status = await this.status();
            return status?.text === text && status.label.includes(label) && status;
        });
    }

    /** The lines of the active editor without its ghost text, and the ghost text. */
    async screen() {
        return await this.page.evaluate(() => {
            const editor = document.querySelector('.editor-group-container.active .monaco-editor .view-lines')?.closest('.monaco-editor');
            const clean = (it) => it.replace(/\u00a0/g, ' ').replace(/[\u200b\u200c]/g, '');
            const lines = [...(editor?.querySelectorAll('.view-lines > .view-line') ?? [])]
                .map((it) => [parseFloat(it.style.top), it])
                .sort((a, b) => a[0] - b[0])
                .map(([, it]) => {
                    const copy = it.cloneNode(true);
                    copy.querySelectorAll('[class*="ghost-text"]').forEach((ghost) => ghost.remove());
                    return clean(copy.textContent);
                });
            const inLines = [...(editor?.querySelectorAll('.view-lines [class*="ghost-text"]') ?? [])]
                .filter((it) => !it.parentElement.closest('[class*="ghost-text"]'))
                .map((it) => it.textContent);
            const below = [...(editor?.querySelectorAll('.view-zones .suggest-preview-text, .view-zones [class*="ghost-text"] .view-line, .view-zones .view-line') ?? [])]
                .map((it) => it.textContent);
            return { lines, ghost: clean(inLines.join('')), below: clean([...new Set(below)].join('\n')) };
        });
    }

    async untilGhost(what = 'ghost text') {
        return await until(what, async () => {
            const screen = await this.screen();
            return (screen.ghost || screen.below) && screen;
        });
    }

    async untilNoGhost(what = 'no ghost text') {
        return await until(what, async () => {
            const screen = await this.screen();
            return !screen.ghost && !screen.below && screen;
        });
    }

    async press(...keys) {
        for (const key of keys) {
            await this.page.keyboard.press(key);
            await sleep(60);
        }
    }

    async type(text, delay = 60) {
        await this.page.keyboard.type(text, { delay });
    }

    /** Opens a file of the workspace by the beginning of its name. */
    async openFile(name) {
        await this.press('Control+KeyP');
        await this.page.waitForSelector('.quick-input-widget input');
        await this.type(name, 10);
        await until(`${name} in the list`, async () => (await this.rows())[0]?.startsWith(name));
        await this.press('Enter');
        await until(`${name} is open`, () => this.page.evaluate((it) =>
            document.querySelector('.editor-group-container.active .tab.active')?.getAttribute('data-resource-name')?.startsWith(it), name));
        await until('its text', async () => (await this.screen()).lines.length > 0 || this.page.$('.notebookOverlay .cell .view-lines'));
        await this.press('Control+Digit1');
    }

    /** The caret at the end of a line, from 1. */
    async goTo(line) {
        await this.press('Control+KeyG');
        await this.page.waitForSelector('.quick-input-widget input');
        await this.type(`:${line}`.slice(1), 10);
        await this.press('Enter', 'End');
    }

    async rows() {
        return await this.page.$$eval('.quick-input-widget .monaco-list-row', (all) => all.map((it) => it.textContent.trim()));
    }

    /** Runs a command of the extension by its title, as a person does. */
    async command(title) {
        await this.press('F1');
        await this.page.waitForSelector('.quick-input-widget input');
        await this.type(`keyside: ${title}`, 5);
        await until(`the command ${title}`, async () => (await this.rows())[0]?.includes(`keyside: ${title}`));
        await this.press('Enter');
    }

    /** Picks a line of the list that is open. */
    async pick(label) {
        const row = await until(`the line ${label}`, async () => {
            for (const it of await this.page.$$('.quick-input-widget .monaco-list-row')) {
                if ((await it.textContent()).includes(label)) return it;
            }
            return undefined;
        });
        await row.click();
    }

    /** Opens the menu of the status bar by a click, and picks a line. */
    async menu(label) {
        await this.page.click('.statusbar-item[id*="keyside.status"]');
        await this.pick(label);
    }

    /** The messages that are on the screen. */
    async messages() {
        return await this.page.$$eval('.notifications-toasts .notification-list-item', (all) => all.map((it) => it.textContent));
    }

    async untilMessage(part) {
        return await until(`the message “${part}”`, async () => (await this.messages()).find((it) => it.includes(part)));
    }

    /** Clicks a button of the message that holds a text. */
    async answer(part, button) {
        const found = await until(`the button ${button} of “${part}”`, async () => {
            for (const item of await this.page.$$('.notifications-toasts .notification-list-item')) {
                if (!(await item.textContent()).includes(part)) continue;
                for (const it of await item.$$('.monaco-button')) {
                    if ((await it.textContent()).trim() === button) return it;
                }
            }
            return undefined;
        });
        await found.click();
    }

    async closeMessages() {
        await this.press('F1');
        await this.page.waitForSelector('.quick-input-widget input');
        await this.type('Notifications: Clear All', 5);
        await until('the command', async () => (await this.rows())[0]?.includes('Clear All Notifications'));
        await this.press('Enter');
        await until('no messages', async () => (await this.messages()).length === 0);
    }

    /** The dialog that is open: its text and buttons. */
    async untilDialog(part) {
        return await until(`the dialog “${part}”`, async () => {
            const text = await this.page.$$eval('.monaco-dialog-box', (all) => all.map((it) => it.textContent).join(''));
            return text.includes(part) && text;
        });
    }

    async choose(button) {
        const found = await until(`the button ${button}`, async () => {
            for (const it of await this.page.$$('.monaco-dialog-box .monaco-button')) {
                if ((await it.textContent()).trim() === button) return it;
            }
            return undefined;
        });
        await found.click();
        await until('the dialog is gone', async () => (await this.page.$('.monaco-dialog-box')) === null);
    }

    /** Titles of all tabs. */
    async tabs() {
        return await this.page.$$eval('.tab', (all) => all.map((it) => it.getAttribute('data-resource-name') ?? it.textContent));
    }

    /** All text of all editors. */
    async allText() {
        return await this.page.evaluate(() =>
            [...document.querySelectorAll('.monaco-editor .view-lines')]
                .map((lines) =>
                    [...lines.querySelectorAll('.view-line')]
                        .sort((a, b) => parseFloat(a.style.top) - parseFloat(b.style.top))
                        .map((it) => it.textContent)
                        .join('\n'),
                )
                .join('\n=====\n')
                .replace(/\u00a0/g, ' '),
        );
    }

    /** Changes the user's settings, or with `Machine` those of this machine. `undefined` takes one out. */
    setSettings(change, whose = 'User') {
        const file = path.join(this.root, `user/${whose}/settings.json`);
        const before = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
        const all = { ...before, ...change };
        for (const key of Object.keys(all).filter((it) => all[it] === undefined)) {
            delete all[key];
        }
        writeFileSync(file, JSON.stringify(all));
    }

    /** The user's settings as they are written. */
    settings() {
        return JSON.parse(readFileSync(path.join(this.root, 'user/User/settings.json'), 'utf8'));
    }

    /** What `keyside usage` counts today. */
    usage() {
        const folder = readdirSync(this.extensions).find((it) => it.startsWith('keyside.keyside-'));
        const program = path.join(this.extensions, folder, 'server/keyside');
        const env = { ...process.env, KEYSIDE_HOME: path.join(this.root, 'home') };
        return JSON.parse(execFileSync(program, ['usage', '--json'], { env, encoding: 'utf8' })).days.at(-1);
    }

    /** The process ids of the language servers that this editor has started. */
    serverProcesses() {
        const all = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
        return all.filter((it) => it.includes(this.extensions) && it.trimEnd().endsWith('/server/keyside serve')).map((it) => Number(it.trim().split(' ')[0]));
    }

    async picture(file) {
        await this.page.screenshot({ path: file });
    }
}
