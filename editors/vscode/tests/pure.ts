/** Tests of what needs no editor. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { Follower } from '../src/follower';
import { forLabel, forMessage, inTwoParts, readableRequest } from '../src/plain_text';
import { Restarts } from '../src/restarts';

test('a server is started again five times in three minutes', () => {
    const restarts = new Restarts();
    for (let n = 0; n < 5; n += 1) {
        assert.ok(restarts.mayRestart(n * 1000));
    }
    assert.ok(!restarts.mayRestart(5000));
    assert.ok(!restarts.mayRestart(179_999));
    assert.ok(restarts.mayRestart(180_001), 'the first one counts no more');
    restarts.forget();
    assert.ok(restarts.mayRestart(180_002));
});

test('no message has a link that runs a command, or writes backwards', () => {
    const text = '“[a.rs](command:workbench.action.quit)” \u202efdp.exe\u0007';
    assert.equal(forMessage(text), '“[a.rs] (command:workbench.action.quit)” fdp.exe');
    assert.equal(forLabel('$(error) a\nb'), '$ (error) a b');
});

test('a question has two parts', () => {
    assert.deepEqual(inTwoParts('Send 4 tokens to m at h? It costs $1.'), ['Send 4 tokens to m at h?', 'It costs $1.']);
    assert.deepEqual(inTwoParts('Nothing to ask'), ['Nothing to ask', '']);
});

test('a request can be read, and its bytes are whole', () => {
    const bytes = JSON.stringify({ model: 'm', messages: [{ content: 'fn a() {\n}\n' }] });
    const text = readableRequest(bytes);
    assert.ok(text.includes('── messages[0].content ──\n\nfn a() {\n}\n'));
    assert.ok(text.endsWith(`${bytes}\n`));
    assert.ok(readableRequest('no JSON').endsWith('no JSON\n'));
});

/** What is reported of a suggestion `fn add(a)`, of which `fn a` is typed, after changes. */
function reported(...changes: [start: number, length: number, text: string][]): [string, unknown][] {
    const all: [string, unknown][] = [];
    const follower = new Follower((method, params) => all.push([method.replace('keyside/', ''), params]));
    follower.shown({ id: 7, index: 0, uri: 'u', start: 10, end: 14, caret: 14, text: 'fn add(a)' });
    for (const [start, length, text] of changes) {
        follower.changed('u', start, length, text, true);
    }
    assert.deepEqual(all.shift(), ['didShow', { id: 7, index: 0 }]);
    return all;
}

test('what becomes of a suggestion is reported', () => {
    const name = { id: 7, index: 0 };
    assert.deepEqual(reported([14, 0, 'dd']), [['didPartiallyAccept', { ...name, unit: 'word', length: 2 }]]);
    assert.deepEqual(reported([10, 4, 'fn add']), [['didPartiallyAccept', { ...name, unit: 'word', length: 2 }]]);
    assert.deepEqual(reported([14, 0, 'd'], [15, 0, 'd'], [16, 0, '(a)']), [], 'typed, and the rest accepted');
    assert.deepEqual(reported([10, 4, 'fn add(a)']), [], 'accepted: the command says so');
    assert.deepEqual(reported([14, 0, 'x']), [['didReject', name]]);
    assert.deepEqual(reported([13, 1, '']), [['didReject', name]]);
    assert.deepEqual(reported([14, 0, 'dd'], [16, 0, 'x']), [
        ['didPartiallyAccept', { ...name, unit: 'word', length: 2 }],
        ['didReject', name],
    ]);
});

test('one character that is taken is told from one that is typed', () => {
    const taken = (isByKeyboard: boolean): string[] => {
        const all: string[] = [];
        const follower = new Follower((method) => all.push(method.replace('keyside/', '')));
        follower.shown({ id: 7, index: 0, uri: 'u', start: 0, end: 3, caret: 3, text: 'map.get' });
        follower.changed('u', 3, 0, '.', true);
        follower.caretMoved('u', isByKeyboard);
        follower.caretMoved('u', false);
        return all;
    };
    assert.deepEqual(taken(true), ['didShow']);
    assert.deepEqual(taken(false), ['didShow', 'didPartiallyAccept']);
});

test('a pair of brackets that the editor puts in is no part that was taken', () => {
    const all: string[] = [];
    const follower = new Follower((method) => all.push(method));
    follower.shown({ id: 1, index: 0, uri: 'u', start: 0, end: 1, caret: 1, text: 'f()' });
    follower.changed('u', 1, 0, '()', true);
    assert.deepEqual(all, ['keyside/didShow']);
    follower.changed('another', 0, 0, 'x', true);
    assert.deepEqual(all, ['keyside/didShow']);
});
