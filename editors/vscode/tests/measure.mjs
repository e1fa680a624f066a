/**
 * How long it takes from a key to ghost text on the screen of a real VS Code, and whether anything is lost when a
 * person types 15 keys a second for a minute: `npm run measure`. A word after it is a JSON object of VS Code settings,
 * such as `'{"keyside.model.built_in": "keyside-nano-v1"}'`. Figures are in docs/measurements.md.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { folder } from '../scripts/server.mjs';
import { Editor, sleep, until } from './editor.mjs';
import { FILES } from './ghost_text.mjs';

const vsix = process.env.KEYSIDE_VSIX ?? path.join(folder, `keyside-${process.platform}-${process.arch}.vsix`);
const given = JSON.parse(process.argv[2] ?? '{}');
const WORDS = ['map', 'let', 'alpha', 'beta', 'gamma', 'delta', 'copied', 'unwrap_or'];
const AS_TYPED = {
    'editor.autoClosingBrackets': 'never',
    'editor.autoClosingQuotes': 'never',
    'editor.autoIndent': 'none',
    'editor.trimAutoWhitespace': false,
    'files.insertFinalNewline': false,
};

/** Watches each frame of the page for the first one with other ghost text than before a key. */
function watch() {
    const ghost = () => [...document.querySelectorAll('.view-lines [class*="ghost-text"]')].map((it) => it.textContent).join('');
    const all = (window.measured = []);
    const keys = (window.echoed = []);
    let key;
    const text = () => document.querySelector('.editor-group-container.active .view-lines').textContent.length;
    addEventListener('keydown', (event) => {
        if (event.key.length === 1 && !event.ctrlKey) {
            key = { at: performance.now(), before: ghost(), length: text(), isEchoed: false };
        }
    }, true);
    const frame = () => {
        if (key) {
            if (!key.isEchoed && text() !== key.length) {
                key.isEchoed = true;
                keys.push(performance.now() - key.at);
            }
            const now = ghost();
            if (now && now !== key.before) {
                all.push({ ms: performance.now() - key.at, isNew: key.before === '' });
                key = undefined;
            }
        }
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}

const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
function figures(name, all) {
    const sorted = [...all].sort((a, b) => a - b);
    console.log(`${name}: ${sorted.length} keys, median ${at(sorted, 0.5)?.toFixed(0)} ms, 95% ${at(sorted, 0.95)?.toFixed(0)} ms`);
}

async function latency(editor) {
    await editor.openFile('totals.rs');
    console.log(`${(await editor.untilStatus('keyside')).label}; load ${os.loadavg()[0].toFixed(1)} on ${os.cpus().length} cores`);
    await editor.page.evaluate(watch);
    for (let round = 0; round < 16; round += 1) {
        await editor.goTo(8);
        await editor.press('Shift+Home', 'Shift+Home', 'Delete');
        // The empty line may have ghost text of its own.
        await sleep(600);
        await editor.press('Escape');
        await editor.type(`    let ${WORDS[round % WORDS.length]}s${round} = map.get`, 180);
        await sleep(400);
    }
    const { measured, echoed } = await editor.page.evaluate(() => ({ measured: window.measured, echoed: window.echoed }));
    figures('key to ghost text where there was none', measured.filter((it) => it.isNew).map((it) => it.ms));
    figures('key to other ghost text', measured.map((it) => it.ms));
    figures('key to its letter on the screen', echoed);
}

/** A minute at 15 keys a second; what is saved has to be what was typed. */
async function minute(editor, isOn) {
    await editor.openFile('minute.py');
    await editor.page.evaluate(watch);
    const line = 'value = compute(first, second) + other[index] - total\n';
    const text = line.repeat(Math.ceil(900 / line.length)).slice(0, 900);
    const began = Date.now();
    for (const [index, character] of [...text].entries()) {
        if (character === '\n') {
            await editor.page.keyboard.press('Enter');
        } else {
            await editor.page.keyboard.type(character);
        }
        await sleep(Math.max(0, began + ((index + 1) * 1000) / 15 - Date.now()));
    }
    const seconds = (Date.now() - began) / 1000;
    await editor.press('Escape', 'Control+KeyS');
    const file = path.join(editor.root, 'workspace/minute.py');
    await until('it is saved', () => readFileSync(file, 'utf8').length >= text.length);
    assert.equal(readFileSync(file, 'utf8'), text, 'what is in the file is not what was typed');
    await editor.untilNoGhost('no stale ghost text');
    console.log(`typed ${text.length} keys in ${seconds.toFixed(1)} s, keyside ${isOn ? 'on' : 'off'}: nothing lost, no stale ghost text`);
    figures('key to its letter on the screen', await editor.page.evaluate(() => window.echoed));
}

for (const isOn of [true, false]) {
    const files = { ...FILES, 'minute.py': '' };
    const settings = { ...AS_TYPED, ...given, 'keyside.completion.enabled': isOn };
    const editor = await Editor.start({ vsix, files, settings });
    try {
        if (isOn) {
            await latency(editor);
        }
        await minute(editor, isOn);
    } finally {
        await editor.stop();
    }
}
