/** Asking a cloud model from a real VS Code: the question, what will be sent, answers, changes, cancelling, keys. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

import { until } from './editor.mjs';
import { Provider } from './provider.mjs';

export const FILES = {
    'rect.rs': 'fn area(width: u32, height: u32) -> u32 {\n    let result = width * height;\n    return result;\n}\n',
    '[see](command:workbench.action.toggleZenMode).rs': 'fn one() -> u32 {\n    1\n}\n',
};

const SOURCE_LINES = FILES['rect.rs'].trimEnd().split('\n');
const QUESTION = 'to test-model at 127.0.0.1';
const AFTER = ['fn area(width: u32, height: u32) -> u32 {', '    width * height', '}'];
const CHANGE = `\`\`\`rust\n${AFTER.join('\n')}\n\`\`\`\n`;

let provider;

export async function end() {
    provider?.stop();
}

async function code(editor) {
    const { lines } = await editor.screen();
    return lines.join('\n').trimEnd();
}

const n_messages = (editor, part) => editor.messages().then((all) => all.filter((it) => it.includes(part)).length);

async function inCode(editor, name = 'rect.rs') {
    await editor.press('F1');
    await editor.page.waitForSelector('.quick-input-widget input');
    await editor.type('View: Close All Editors', 5);
    await until('the command', async () => (await editor.rows())[0]?.includes('Close All Editors'));
    await editor.press('Enter');
    await until('no editors', async () => {
        if (await editor.page.$('.monaco-dialog-box')) {
            await editor.choose("Don't Save");
        }
        return (await editor.tabs()).length === 0;
    });
    await editor.openFile(name);
    await editor.goTo(2);
}

export const steps = {
    'a cloud that is off is said, with what to do': async (editor) => {
        await inCode(editor);
        await editor.command('Explain with a Cloud Model');
        await editor.untilMessage('asking a cloud model is switched off');
        await editor.closeMessages();
    },

    'the cloud is switched on in the settings file, and the status bar shows it': async (editor) => {
        provider = await Provider.start();
        writeFileSync(path.join(editor.root, 'home/config.toml'), provider.settings());
        await editor.command('Restart the Server');
        await until('the cloud in the status bar', () => editor.page.$('.statusbar-item[id*="keyside.status"] .codicon-cloud'));
        await editor.untilStatus('keyside');
    },

    'an explanation: the question, what will be sent, the answer beside': async (editor) => {
        await inCode(editor);
        provider.answer = { text: 'It multiplies [two](command:workbench.action.toggleZenMode) numbers.', stalls: false };
        await editor.command('Explain with a Cloud Model');
        const question = await editor.untilDialog(QUESTION);
        assert.ok(question.includes('“rect.rs” lines 1–4') && question.includes('Send once'), question);
        await editor.choose('Show what will be sent');
        await until('what will be sent', async () => (await editor.allText()).includes('let result = width * height;'));
        assert.equal(provider.requests.length, 0);
        assert.equal(await editor.page.$('.monaco-dialog-box'), null);
        await editor.page.click('text=Answer the question');
        await editor.untilDialog(QUESTION);
        assert.ok(!(await editor.tabs()).some((it) => it.includes('what will be sent')));
        await editor.choose('Send once');
        await until('the answer', async () => (await editor.allText()).includes('It multiplies [two]'));
        // The caret has stayed in the code, and the model's link is no link.
        assert.equal(await code(editor), SOURCE_LINES.join('\n'));
        assert.equal(await editor.page.$('.detected-link, .detected-link-active'), null);
        assert.equal(provider.requests.length, 1);
        assert.ok(provider.requests[0].includes('let result = width * height;'));
    },

    'a key that was meant for the code sends nothing': async (editor) => {
        await inCode(editor);
        await editor.command('Explain with a Cloud Model');
        await editor.untilDialog(QUESTION);
        await editor.press('Enter');
        await until('what will be sent', async () => (await editor.tabs()).some((it) => it.includes('what will be sent')));
        await editor.press('Control+KeyW');
        await editor.untilDialog(QUESTION);
        await editor.press('Escape');
        await editor.untilMessage('nothing was sent');
        assert.equal(provider.requests.length, 1);
        await editor.closeMessages();
    },

    'a request under way shows its progress, and is cancelled there': async (editor) => {
        await inCode(editor);
        provider.answer = { text: 'It multiplies ', stalls: true };
        await editor.command('Explain with a Cloud Model');
        await editor.untilDialog(QUESTION);
        await editor.choose('Send once');
        await until('the beginning', async () => (await editor.allText()).includes('It multiplies '));
        const closed = provider.n_closed;
        await editor.answer('keyside: Explain', 'Cancel');
        await until('the connection is closed', () => provider.n_closed === closed + 1);
        await until('no progress', async () => (await n_messages(editor, 'keyside: Explain')) === 0);
    },

    'closing the answer ends the request': async (editor) => {
        await inCode(editor);
        await editor.command('Explain with a Cloud Model');
        await editor.untilDialog(QUESTION);
        await editor.choose('Send once');
        await until('the beginning', async () => (await editor.allText()).includes('It multiplies '));
        const closed = provider.n_closed;
        await editor.press('Control+Digit2', 'Control+KeyW');
        await until('the connection is closed', () => provider.n_closed === closed + 1);
        await editor.closeMessages();
    },

    'a refactoring from the lamp: a difference, discarded': async (editor) => {
        await inCode(editor);
        provider.answer = { text: CHANGE, stalls: false };
        await editor.press('Control+Period');
        const row = await until('the action', async () => {
            for (const it of await editor.page.$$('.action-widget .monaco-list-row')) {
                if ((await it.textContent()).includes('Refactor deeply with test-model')) return it;
            }
            return undefined;
        });
        await row.click();
        await editor.untilDialog(QUESTION);
        await editor.choose('Send once');
        await editor.untilMessage('take this change?');
        await until('the difference', () => editor.page.$('.monaco-diff-editor'));
        await until('both sides', async () => {
            const text = await editor.allText();
            return text.includes('return result;') && text.includes('    width * height\n');
        });
        await editor.answer('take this change?', 'Discard');
        await editor.untilMessage('because you discarded the change');
        await until('no difference', async () => (await editor.page.$('.monaco-diff-editor')) === null);
        assert.deepEqual((await editor.tabs()).filter((it) => it !== 'rect.rs'), []);
        assert.equal(await code(editor), SOURCE_LINES.join('\n'));
        await editor.closeMessages();
    },

    'a refactoring is accepted, and is one step to undo': async (editor) => {
        await inCode(editor);
        await editor.command('Refactor with a Cloud Model');
        await editor.untilDialog(QUESTION);
        await editor.choose('Send once');
        await editor.untilMessage('take this change?');
        // By the button above the difference; the message has one as well.
        await editor.page.click('.editor-actions a[aria-label*="Accept the Change"]');
        await until('the change', async () => (await code(editor)) === AFTER.join('\n'));
        await editor.press('Control+Digit1', 'Control+KeyZ');
        await until('as before', async () => (await code(editor)) === SOURCE_LINES.join('\n'));
        await editor.closeMessages();
    },

    'a name of the repository makes no link of a message': async (editor) => {
        await inCode(editor, '[see]');
        provider.answer = { text: '```rust\nfn one() -> u32 {\n    2 - 1\n}\n```\n', stalls: false };
        await editor.command('Refactor with a Cloud Model');
        await editor.untilDialog(QUESTION);
        await editor.choose('Send once');
        // As it is written: a link would show its words alone.
        await editor.untilMessage('[see] (command:workbench.action.toggleZenMode).rs');
        assert.equal(await editor.page.$('.notifications-toasts .notification-list-item-message a'), null);
        await editor.answer('take this change?', 'Discard');
        await editor.untilMessage('because you discarded the change');
        await editor.closeMessages();
    },

    'a workspace of which nothing is to be sent is kept so': async (editor) => {
        await inCode(editor);
        const n_requests = provider.requests.length;
        await editor.command('Explain with a Cloud Model');
        await editor.untilDialog(QUESTION);
        await editor.choose('Never for this workspace');
        await editor.untilMessage('nothing of this workspace is sent');
        await editor.closeMessages();
        await editor.command('Explain with a Cloud Model');
        await editor.untilMessage('as you said');
        assert.equal(provider.requests.length, n_requests);
        await editor.closeMessages();
    },

    'a key is asked for hidden, and is in no settings': async (editor) => {
        await editor.command('Key of a Provider…');
        await editor.pick('elsewhere');
        await until('a hidden box', () => editor.page.$('.quick-input-widget input[type="password"]'));
        await editor.type('sk-ant-test-0123456789', 5);
        await editor.press('Enter');
        // Whether this machine has a keyring is its own affair; either is said in a sentence.
        await until('what became of it', async () => (await editor.messages()).some((it) => /keyring|elsewhere/.test(it)));
        assert.ok(!JSON.stringify(editor.settings()).includes('sk-ant-test'));
        assert.ok(!(await editor.messages()).join('').includes('sk-ant-test'));
    },
};
