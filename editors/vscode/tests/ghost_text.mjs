/** Ghost text on the screen of a real VS Code: shown, taken, dismissed, switched off, and there again after faults. */

import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { until } from './editor.mjs';

export const FILES = {
    'totals.rs': `use std::collections::HashMap;

fn totals(map: &HashMap<String, u64>) -> u64 {
    let alpha = map.get("alpha").copied().unwrap_or(0);
    let beta = map.get("beta").copied().unwrap_or(0);
    let gamma = map.get("gamma").copied().unwrap_or(0);
    let delta = map.get("delta").copied().unwrap_or(0);

    alpha + beta + gamma + delta
}
`,
    'notes.ipynb': JSON.stringify({
        cells: [{ cell_type: 'code', execution_count: null, metadata: {}, outputs: [], source: ['def area(width, height):\n', '    result = width * height\n', '    return result\n', '\n'] }],
        metadata: { language_info: { name: 'python' } },
        nbformat: 4,
        nbformat_minor: 5,
    }),
    'area.py': 'def area(width, height):\n    result = width * height\n    return result\n\n\n\n',
};

const LINE = 8;
const TYPED = '    let epsilon = map';

/** An empty line 8 with the caret in it. */
async function fresh(editor) {
    await editor.goTo(LINE);
    await editor.press('Escape', 'Control+KeyL');
    const isEmpty = async () => (await editor.screen()).lines[LINE - 1] === '';
    await editor.press('Escape', 'Home', 'Home', 'Shift+End', 'Delete');
    await editor.goTo(LINE);
    if (!(await isEmpty())) {
        await editor.press('Shift+Home', 'Shift+Home', 'Delete');
    }
    await until('an empty line', isEmpty);
}

async function typed(editor, text = TYPED) {
    await fresh(editor);
    await editor.type(text);
    return await until('ghost text behind what was typed', async () => {
        const screen = await editor.screen();
        return screen.lines[LINE - 1].trimEnd() === text.trimEnd() && screen.ghost && screen;
    });
}

export const steps = {
    'the status bar says that it is ready': async (editor) => {
        await editor.openFile('totals.rs');
        await editor.untilStatus('keyside', 'keyside-nano');
    },

    'ghost text stands behind the caret, and Tab takes all of it': async (editor) => {
        const { ghost } = await typed(editor);
        await editor.press('Tab');
        await until('the line with the ghost text', async () => (await editor.screen()).lines[LINE - 1] === TYPED + ghost);
    },

    'Ctrl+Right takes a word, the rest stays, and the word is counted': async (editor) => {
        const taken = () => editor.usage()?.accepted_words ?? 0;
        const before = taken();
        const { ghost } = await typed(editor);
        await editor.press('Control+ArrowRight');
        const screen = await until('a word of it', async () => {
            const screen = await editor.screen();
            return screen.lines[LINE - 1] !== TYPED && screen.ghost && screen;
        });
        const word = screen.lines[LINE - 1].slice(TYPED.length);
        assert.ok(word.length > 0 && word.length < ghost.length, `“${word}” of “${ghost}”`);
        assert.ok((word + screen.ghost).startsWith(ghost), `“${word}” and “${screen.ghost}” were “${ghost}”`);
        await until('a word in `keyside usage`', () => taken() > before);
        assert.equal(taken(), before + 1);
    },

    'Escape dismisses it, and typing goes on': async (editor) => {
        await typed(editor);
        await editor.press('Escape');
        const screen = await editor.untilNoGhost();
        assert.equal(screen.lines[LINE - 1], TYPED);
        await editor.type('.');
        await until('the dot', async () => (await editor.screen()).lines[LINE - 1] === `${TYPED}.`);
    },

    'Tab without ghost text indents, as ever': async (editor) => {
        await fresh(editor);
        await editor.press('Escape');
        await editor.untilNoGhost();
        await editor.press('Tab');
        await until('an indent', async () => /^ {4}$/.test((await editor.screen()).lines[LINE - 1]));
    },

    'asking for it by key shows it, with alternatives': async (editor) => {
        const text = '    let epsilon = ';
        await fresh(editor);
        await editor.type(text);
        await until('what was typed', async () => (await editor.screen()).lines[LINE - 1].trimEnd() === text.trimEnd());
        await editor.press('Escape');
        await editor.untilNoGhost();
        await editor.press('Alt+Backslash');
        const first = await editor.untilGhost();
        await editor.press('Alt+BracketRight');
        await until('an alternative', async () => {
            const { ghost, below } = await editor.screen();
            return (ghost || below) && ghost + below !== first.ghost + first.below;
        });
        await editor.press('Escape');
    },

    'a language is switched off and on by the menu': async (editor) => {
        await editor.menu('Switch off for rust');
        await editor.untilStatus('keyside: off', 'rust');
        assert.deepEqual(editor.settings()['keyside.completion.disabled_languages'], ['rust']);
        await fresh(editor);
        await editor.type(TYPED);
        await until('what was typed', async () => (await editor.screen()).lines[LINE - 1] === TYPED);
        // Another language is not touched; after its ghost text nothing is under way here.
        await editor.openFile('area.py');
        await editor.untilStatus('keyside');
        await editor.openFile('totals.rs');
        await editor.untilStatus('keyside: off');
        assert.equal((await editor.screen()).ghost, '');
        await editor.menu('Switch on for rust');
        await editor.untilStatus('keyside');
        await typed(editor);
    },

    'everything is switched off and on': async (editor) => {
        await editor.menu('Switch off everywhere');
        await editor.untilStatus('keyside: off');
        await editor.command('Switch On or Off Everywhere');
        await editor.untilStatus('keyside');
        await typed(editor);
    },

    'it is snoozed and woken': async (editor) => {
        await editor.menu('Snooze…');
        await editor.pick('15 minutes');
        await editor.untilStatus('keyside: snoozed', 'snoozed until');
        await editor.untilNoGhost();
        await fresh(editor);
        await editor.type(TYPED);
        await until('what was typed', async () => (await editor.screen()).lines[LINE - 1] === TYPED);
        // Whoever asks gets it all the same, and what was typed before it showed nothing.
        assert.equal((await editor.screen()).ghost, '');
        await editor.press('Alt+Backslash');
        await editor.untilGhost();
        await editor.menu('End snoozing');
        await editor.untilStatus('keyside');
        await typed(editor);
    },

    'what becomes of suggestions is counted': async (editor) => {
        const before = editor.usage();
        await typed(editor);
        await editor.press('Tab');
        await typed(editor);
        await editor.type('#');
        const names = ['shown_suggestions', 'accepted_suggestions', 'rejected_suggestions'];
        let now;
        await until('a count of each', () => {
            now = editor.usage();
            return names.every((it) => now[it] > before[it]);
        }).catch((error) => assert.fail(`${error.message}: ${JSON.stringify([before, now])}`));
    },

    'a cell of a notebook gets ghost text': async (editor) => {
        await editor.openFile('notes.ipynb');
        await editor.page.click('.notebookOverlay .cell .view-lines');
        await editor.press('Control+End');
        await editor.type('def perimeter(width, height):\nresult = wid', 60);
        await until('ghost text in the cell', async () =>
            (await editor.page.$$('.notebookOverlay .cell [class*="ghost-text"]')).length > 0);
        await editor.press('Escape');
        await editor.openFile('totals.rs');
    },

    'model, usage and offline are told': async (editor) => {
        await editor.menu('Model');
        await editor.untilMessage('the model is keyside-nano');
        await editor.menu('Offline');
        await editor.untilMessage('offline: ');
        await editor.closeMessages();
        await editor.menu('Usage');
        await until('the table', async () => (await editor.allText()).includes('accepted'));
        await editor.press('Control+KeyW');
        await editor.openFile('totals.rs');
    },

    'an untitled text gets ghost text': async (editor) => {
        await editor.press('F1');
        await editor.type('New Untitled Text File', 5);
        await editor.pick('File: New Untitled Text File');
        await until('an untitled file', async () => (await editor.tabs()).some((it) => it.startsWith('Untitled')));
        await editor.type('delivered_items = load()\nsort(delivered_items)\nprint(deliv', 40);
        await editor.untilGhost();
        await editor.press('Escape', 'Control+KeyA', 'Delete');
        await until('nothing in it', async () => (await editor.screen()).lines.join('') === '');
        await editor.press('Control+KeyW');
        await editor.openFile('totals.rs');
    },

    'a setting that does not exist is named once': async (editor) => {
        editor.setSettings({ 'keyside.completion.max_linse': 3 }, 'Machine');
        await editor.untilMessage('max_linse');
        await editor.closeMessages();
        editor.setSettings({ 'keyside.completion.max_linse': 4, 'keyside.completion.max_tokens': 63 }, 'Machine');
        await editor.menu('Model');
        await editor.untilMessage('the model is');
        assert.ok(!(await editor.messages()).some((it) => it.includes('max_linse')));
        editor.setSettings({ 'keyside.completion.max_linse': undefined, 'keyside.completion.max_tokens': undefined }, 'Machine');
        await editor.closeMessages();
    },

    'a server that is killed is started again, five times, and then it is said': async (editor) => {
        for (let kill = 1; kill <= 6; kill += 1) {
            const [process_id] = await until('a server', () => {
                const all = editor.serverProcesses();
                return all.length === 1 && all;
            });
            await editor.untilStatus('keyside');
            process.kill(process_id, 'SIGKILL');
            await until('another one, or none', () => !editor.serverProcesses().includes(process_id));
            if (kill === 1) {
                await editor.untilStatus('keyside');
                await typed(editor);
            }
        }
        await editor.untilStatus('keyside: error', 'six times in three minutes');
        const messages = (await editor.messages()).filter((it) => it.includes('six times'));
        assert.equal(messages.length, 1);
        await editor.answer('six times', 'Restart');
        await editor.untilStatus('keyside');
        await typed(editor);
    },

    'a wrong program is named with what to do': async (editor) => {
        const file = (name, text, mode) => {
            const place = path.join(editor.root, name);
            writeFileSync(place, text);
            chmodSync(place, mode);
            return place;
        };
        const cases = [
            [path.join(editor.root, 'missing'), 'There is no program at'],
            [file('plain', 'text', 0o644), 'may not be executed'],
            [file('other', '#!/bin/sh\necho other 1.0.0\n', 0o755), 'is not keyside'],
            [file('older', '#!/bin/sh\necho keyside 0.0.9\n', 0o755), 'this extension needs 0.1'],
            [file('broken', '#!/bin/sh\nexit 3\n', 0o755), 'it ended with 3'],
        ];
        for (const [place, sentence] of cases) {
            editor.setSettings({ 'keyside.server.path': place }, 'Machine');
            await editor.untilMessage(sentence);
            await editor.untilStatus('keyside: error', sentence);
            assert.equal(editor.serverProcesses().length, 0);
            await editor.closeMessages();
        }
        editor.setSettings({ 'keyside.server.path': undefined }, 'Machine');
        await editor.untilStatus('keyside');
        await typed(editor);
    },
};
