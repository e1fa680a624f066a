/** The menu of the status bar, and the commands behind its lines. */

import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';

import { forLabel, forMessage } from './plain_text';
import { type Program, run } from './program';
import * as settings from './settings';
import type { StatusBar } from './status';
import type { Suggestions } from './suggestions';
import type { Texts } from './texts';

/** What the menu is about. */
export interface Around {
    status: StatusBar;
    suggestions: Suggestions;
    texts: Texts;
    client: () => LanguageClient | undefined;
    program: () => Promise<Program>;
}

const MINUTE_MS = 60_000;
const SNOOZES: [label: string, duration_ms: number][] = [
    ['5 minutes', 5 * MINUTE_MS],
    ['15 minutes', 15 * MINUTE_MS],
    ['1 hour', 60 * MINUTE_MS],
    ['8 hours', 480 * MINUTE_MS],
];

const LEVELS: [label: string, description: string, level: string | undefined][] = [
    ['Quiet', 'only what is very likely right', 'quiet'],
    ['Balanced', 'the default', undefined],
    ['Eager', 'more, and more often wrong', 'eager'],
];

export function register(around: Around): vscode.Disposable {
    const commands: Record<string, () => unknown> = {
        'keyside.menu': () => menu(around),
        'keyside.toggleLanguage': () => toggleLanguage(around),
        'keyside.toggleEverywhere': () => settings.write('completion.enabled', !isOnEverywhere()),
        'keyside.snooze': () => snooze(around),
        'keyside.endSnooze': () => around.suggestions.snooze(0),
        'keyside.chooseLevel': chooseLevel,
        'keyside.showModel': () => showModel(around),
        'keyside.showNetwork': () => showNetwork(around),
        'keyside.showUsage': () => showUsage(around),
        'keyside.openSettings': () => vscode.commands.executeCommand('workbench.action.openSettings', 'keyside'),
        'keyside.openSettingsFile': () => openSettingsFile(around),
    };
    const shown = Object.entries(commands).map(([name, command]) =>
        vscode.commands.registerCommand(name, async () => {
            try {
                await command();
            } catch (error) {
                const why = error instanceof Error ? error.message : String(error);
                void vscode.window.showErrorMessage(forMessage(`keyside: ${why}`));
            }
        }),
    );
    return vscode.Disposable.from(...shown);
}

async function menu(around: Around): Promise<void> {
    const { shown, sentence } = around.status.now();
    const language = vscode.window.activeTextEditor?.document.languageId;
    const off = await languagesOff(around);
    const isCloudOn = around.status.network().startsWith('cloud: on');
    type Line = vscode.QuickPickItem & { command?: string };
    const line = (label: string, command: string, description = ''): Line => ({ label, command, description });
    const lines: Line[] = [
        { label: forLabel(sentence), kind: vscode.QuickPickItemKind.Separator },
        ...(language === undefined ? [] : [
            isOff(off, language)
                ? line(`$(play) Switch on for ${language}`, 'keyside.toggleLanguage')
                : line(`$(circle-slash) Switch off for ${language}`, 'keyside.toggleLanguage'),
        ]),
        isOnEverywhere()
            ? line('$(circle-slash) Switch off everywhere', 'keyside.toggleEverywhere')
            : line('$(play) Switch on', 'keyside.toggleEverywhere'),
        shown === 'snoozed'
            ? line('$(bell) End snoozing', 'keyside.endSnooze')
            : line('$(bell-slash) Snooze…', 'keyside.snooze', 'suggest nothing for a while'),
        line('$(settings) More or fewer suggestions…', 'keyside.chooseLevel'),
        { label: 'about', kind: vscode.QuickPickItemKind.Separator },
        line('$(chip) Model', 'keyside.showModel'),
        line(isCloudOn ? '$(cloud) Cloud' : '$(lock) Offline', 'keyside.showNetwork', forLabel(around.status.network())),
        line('$(graph) Usage', 'keyside.showUsage'),
        line('$(gear) Settings', 'keyside.openSettings'),
        line('$(output) Log', 'keyside.openLog'),
        line('$(refresh) Restart the server', 'keyside.restart'),
    ];
    const picked = await vscode.window.showQuickPick(lines, { title: 'keyside', placeHolder: forLabel(sentence) });
    if (picked?.command) {
        await vscode.commands.executeCommand(picked.command);
    }
}

function isOnEverywhere(): boolean {
    return settings.writtenFor('completion.enabled') !== false;
}

function isOff(off: string[], language: string): boolean {
    return off.some((it) => it.trim().toLowerCase() === language.toLowerCase());
}

/** The languages in which nothing is suggested: as VS Code's settings have it, else as the settings file does. */
async function languagesOff(around: Around): Promise<string[]> {
    const written = settings.writtenFor('completion.disabled_languages');
    if (Array.isArray(written)) {
        return written.filter((it) => typeof it === 'string');
    }
    const shown = await around.program().then((it) => run(it, ['config', 'show'])).catch(() => '');
    const list = /^completion\.disabled_languages = (\[.*\])\s+#/m.exec(shown)?.[1];
    try {
        return list === undefined ? [] : (JSON.parse(list) as string[]);
    } catch {
        return [];
    }
}

async function toggleLanguage(around: Around): Promise<void> {
    const language = vscode.window.activeTextEditor?.document.languageId;
    if (language === undefined) {
        void vscode.window.showInformationMessage('keyside: open a file in the language first');
        return;
    }
    const off = await languagesOff(around);
    const others = off.filter((it) => it.trim().toLowerCase() !== language.toLowerCase());
    await settings.write('completion.disabled_languages', isOff(off, language) ? others : [...off, language]);
}

async function snooze(around: Around): Promise<void> {
    const items = SNOOZES.map(([label, duration_ms]) => ({ label, duration_ms }));
    const picked = await vscode.window.showQuickPick(items, { title: 'keyside: suggest nothing for' });
    if (picked) {
        around.suggestions.snooze(picked.duration_ms);
    }
}

async function chooseLevel(): Promise<void> {
    const now = settings.writtenFor('completion.level');
    const items = LEVELS.map(([label, description, value]) => ({
        label: value === now ? `$(check) ${label}` : label,
        description,
        value,
    }));
    const picked = await vscode.window.showQuickPick(items, { title: 'keyside: how much is suggested' });
    if (picked) {
        await settings.write('completion.level', picked.value);
    }
}

interface ModelStats {
    state: string;
    name?: string;
    n_params?: number;
    context_tokens?: number;
    threads?: number;
    message?: string;
    instead_of?: string | null;
}

async function showModel(around: Around): Promise<void> {
    const client = around.client();
    const stats = await client?.sendRequest<{ model: ModelStats }>('keyside/stats');
    const model = stats?.model;
    let sentence = 'the server is not running';
    if (model?.state === 'ready') {
        const millions = ((model.n_params ?? 0) / 1e6).toFixed(1);
        sentence = `the model is ${model.name} (${millions} million parameters, ${model.context_tokens} tokens of context, ${model.threads} threads)`;
        sentence += model.instead_of ? `, because ${model.instead_of}` : '';
    } else if (model) {
        sentence = model.message ?? 'the model is loading';
    }
    const another = 'Use Another Model';
    const picked = await vscode.window.showInformationMessage(forMessage(`keyside: ${sentence}`), another);
    if (picked === another) {
        await openSettingsFile(around);
        void vscode.window.showInformationMessage('keyside: `path` below `[model]` in this file names a GGUF file; it is followed as soon as the file is saved');
    }
}

async function showNetwork(around: Around): Promise<void> {
    const sentence = forMessage(`keyside: ${around.status.network()}; ${around.status.files()}`);
    const change = 'Open Settings File';
    if ((await vscode.window.showInformationMessage(sentence, change)) === change) {
        await openSettingsFile(around);
    }
}

async function showUsage(around: Around): Promise<void> {
    const text = await run(await around.program(), ['usage']);
    await around.texts.show(around.texts.add('usage', 'usage of keyside', text), 'plaintext', true);
}

/** The user's own settings file, which an editor's settings can't replace; a new one where there is none. */
export async function openSettingsFile(around: Pick<Around, 'program'>): Promise<void> {
    const shown = await run(await around.program(), ['config', 'show']);
    const file = /^# settings file: (.*?)(?: \(.*\))?$/m.exec(shown)?.[1];
    if (file === undefined) {
        throw new Error('`keyside config show` does not say where the settings file is; try it in a terminal');
    }
    const uri = vscode.Uri.file(file);
    const isThere = await vscode.workspace.fs.stat(uri).then(() => true, () => false);
    await vscode.window.showTextDocument(isThere ? uri : uri.with({ scheme: 'untitled' }));
}
