/** Commands that ask a cloud model about code, and the keys of its providers. */

import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';

import { forLabel, forMessage } from './plain_text';
import { type Program, run } from './program';

const ACTIONS = ['explain', 'refactor', 'fix', 'tests', 'document', 'ask'] as const;
type Action = (typeof ACTIONS)[number];

/** How many diagnostics are handed on with a request. */
const MAX_DIAGNOSTICS = 20;

/** What the commands need. */
export interface CloudCommands {
    client: () => LanguageClient | undefined;
    program: () => Promise<Program>;
    isCloudOn: () => boolean;
    openSettingsFile: () => Promise<void>;
}

export function register(around: CloudCommands): vscode.Disposable {
    return vscode.Disposable.from(
        ...ACTIONS.map((action) => vscode.commands.registerCommand(`keyside.cloud.${action}`, () => ask(action, around))),
        vscode.commands.registerCommand('keyside.cloud.cancelAll', () => send('keyside.cancel', [], around)),
        vscode.commands.registerCommand('keyside.cloud.setKey', () => setKey(around)),
    );
}

/** Asks about what is selected, or what the caret is in. */
async function ask(action: Action, around: CloudCommands): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const client = around.client();
    if (!editor || !client) {
        const lack = editor ? 'the server is not running; `keyside: Restart the Server` starts it' : 'open the code that you ask about first';
        void vscode.window.showInformationMessage(`keyside: ${lack}`);
        return;
    }
    if (!around.isCloudOn()) {
        const sentence = 'keyside: asking a cloud model is switched off; set `enabled = true` below `[cloud]` in your settings file, then restart keyside';
        if ((await vscode.window.showInformationMessage(sentence, 'Open Settings File')) !== undefined) {
            await around.openSettingsFile();
        }
        return;
    }
    const { document, selection } = editor;
    const diagnostics = vscode.languages
        .getDiagnostics(document.uri)
        .filter((it) => it.range.intersection(selection) !== undefined)
        .slice(0, MAX_DIAGNOSTICS)
        .map((it) => ({ line: it.range.start.line + 1, message: it.message }));
    let question: string | undefined = '';
    if (action === 'ask') {
        question = await vscode.window.showInputBox({ title: 'keyside', prompt: 'What do you want to know?' });
    } else if (action === 'fix' && diagnostics.length === 0) {
        const prompt = 'Nothing is reported here. What is wrong?';
        question = await vscode.window.showInputBox({ title: 'keyside', prompt });
    }
    if (question === undefined || (action === 'ask' && question.trim() === '')) {
        return;
    }
    const { code2ProtocolConverter: to } = client;
    const argument = {
        uri: to.asUri(document.uri),
        range: to.asRange(selection),
        diagnostics: action === 'fix' ? diagnostics : [],
        question,
    };
    await send(`keyside.${action}`, [argument], around);
}

async function send(command: string, args: unknown[], around: CloudCommands): Promise<void> {
    const client = around.client();
    try {
        await client?.sendRequest('workspace/executeCommand', { command, arguments: args });
    } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        void vscode.window.showErrorMessage(forMessage(`keyside: ${why}`));
    }
}

/** Asks for a provider's key and hands it to the program, which puts it into the system's keyring. */
async function setKey(around: CloudCommands): Promise<void> {
    try {
        const program = await around.program();
        const names = providers(await run(program, ['cloud', 'status']));
        if (names.length === 0) {
            const sentence = 'keyside: the settings file has no provider yet; add one below `[[cloud.providers]]`';
            if ((await vscode.window.showInformationMessage(sentence, 'Open Settings File')) !== undefined) {
                await around.openSettingsFile();
            }
            return;
        }
        const items = names.map((name) => ({ label: forLabel(name), name }));
        const picked = await vscode.window.showQuickPick(items, { title: 'keyside: the key of which provider?' });
        if (!picked) {
            return;
        }
        const key = await vscode.window.showInputBox({
            title: `keyside: the key of ${picked.label}`,
            prompt: 'It goes into the keyring of this system, and into no settings',
            password: true,
            ignoreFocusOut: true,
        });
        if (key !== undefined && key.trim() !== '') {
            const said = await run(program, ['cloud', 'login', '--', picked.name], `${key.trim()}\n`);
            void vscode.window.showInformationMessage(forMessage(`keyside: ${said.trim()}`));
        }
    } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        void vscode.window.showErrorMessage(forMessage(`keyside: ${why}`));
    }
}

/** The names of the providers, from what `keyside cloud status` prints: `* NAME: MODEL at HOST`. */
function providers(status: string): string[] {
    return status.split('\n').flatMap((line) => /^[* ] (\S[^:]*): /.exec(line)?.[1] ?? []);
}
