/** keyside in VS Code: starts the server, keeps it, and puts the parts together. */

import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';

import { Answers } from './answers';
import { Changes } from './changes';
import * as client from './client';
import * as cloud from './cloud';
import * as menu from './menu';
import { forMessage } from './plain_text';
import { find, type Program, ProgramFault } from './program';
import { Questions } from './questions';
import { Restarts } from './restarts';
import { own } from './settings';
import { StatusBar } from './status';
import { Suggestions } from './suggestions';
import { Texts } from './texts';

let extension: Extension | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
    extension = new Extension(context);
    context.subscriptions.push(extension);
    await extension.start();
}

export async function deactivate(): Promise<void> {
    await extension?.stop();
}

const OPEN_LOG = 'Open Log';
const RESTART = 'Restart';
const OPEN_SETTING = 'Open Setting';

class Extension implements vscode.Disposable {
    private readonly log = vscode.window.createOutputChannel('keyside', { log: true });
    private readonly restarts = new Restarts();
    private readonly texts = new Texts();
    private readonly questions = new Questions(this.texts);
    private readonly answers: Answers;
    private readonly changes: Changes;
    private readonly suggestions: Suggestions;
    private readonly status: StatusBar;
    private readonly disposables: vscode.Disposable[];
    private running: LanguageClient | undefined;
    /** One start or stop at a time. */
    private work: Promise<void> = Promise.resolve();

    constructor(private readonly context: vscode.ExtensionContext) {
        const uriOf = (document: vscode.TextDocument) =>
            this.running?.code2ProtocolConverter.asUri(document.uri) ?? document.uri.toString();
        const notify = (method: string, params: unknown) => {
            if (this.running?.isRunning()) {
                void this.running.sendNotification(method, params);
            }
        };
        this.answers = new Answers(this.texts, (token) => notify('window/workDoneProgress/cancel', { token }));
        this.changes = new Changes(
            this.texts,
            (uri) => vscode.workspace.textDocuments.find((it) => uriOf(it) === uri),
            () => (this.questions.wasDiscarded = true),
        );
        this.suggestions = new Suggestions(notify, uriOf, client.isOurs, () => this.status.draw());
        this.status = new StatusBar(this.suggestions, uriOf);
        const program = () => this.program();
        const { status, suggestions, texts } = this;
        const around: menu.Around = { status, suggestions, texts, client: () => this.running, program };
        this.disposables = [
            this.log, this.texts, this.questions, this.answers, this.changes, this.suggestions, this.status,
            menu.register(around),
            cloud.register({
                client: () => this.running,
                program,
                isCloudOn: () => this.status.network().startsWith('cloud: on'),
                openSettingsFile: () => menu.openSettingsFile(around),
            }),
            vscode.commands.registerCommand('keyside.openLog', () => this.log.show()),
            vscode.commands.registerCommand('keyside.restart', () => this.restart()),
            vscode.workspace.onDidChangeConfiguration((event) => this.settingsChanged(event)),
        ];
    }

    dispose(): void {
        vscode.Disposable.from(...this.disposables).dispose();
    }

    async start(): Promise<void> {
        await this.next(() => this.startNow());
    }

    async stop(): Promise<void> {
        await this.next(() => this.stopNow());
    }

    private async restart(): Promise<void> {
        this.restarts.forget();
        await this.next(async () => {
            await this.stopNow();
            await this.startNow();
        });
    }

    private async next(step: () => Promise<void>): Promise<void> {
        this.work = this.work.then(step, step);
        await this.work;
    }

    private async program(): Promise<Program> {
        return await find({
            override: process.env['KEYSIDE_SERVER_PATH'],
            setting: own('server.path', '').trim(),
            extensionFolder: this.context.extensionPath,
            version: (this.context.extension.packageJSON as { version: string }).version,
        });
    }

    private async startNow(): Promise<void> {
        this.status.starting();
        try {
            const program = await this.program();
            this.log.info(`keyside ${program.version} at ${program.path}, from ${program.origin}`);
            const { answers, changes, questions, suggestions } = this;
            const created = client.create(program, this.log, {
                answers, changes, questions, suggestions,
                onStatus: (status) => this.status.heard(status),
                onEnd: () => this.ended(),
            });
            this.running = created;
            created.onDidChangeState(({ newState }) => {
                // 2 is running: after the first start, and after each one that follows an end.
                if (newState === 2) {
                    void client.sendSettings(created);
                }
            });
            await created.start();
        } catch (error) {
            this.running = undefined;
            const why = error instanceof Error ? error.message : String(error);
            this.log.error(why);
            const isProgram = error instanceof ProgramFault;
            const sentence = isProgram ? why : `The server could not be started: ${why}. The log says more.`;
            this.fault(sentence, isProgram ? [OPEN_SETTING, RESTART] : [OPEN_LOG, RESTART]);
        }
    }

    private async stopNow(): Promise<void> {
        const { running } = this;
        this.running = undefined;
        this.answers.serverEnded();
        await running?.dispose().catch((error: unknown) => this.log.error(String(error)));
    }

    /** The server has ended by itself. */
    private ended(): boolean {
        this.answers.serverEnded();
        if (this.restarts.mayRestart(Date.now())) {
            this.log.warn('the server has ended; it is started again');
            this.status.starting();
            return true;
        }
        this.fault(
            'The server has ended six times in three minutes, so it is not started again. The log says what it said last; `keyside doctor` in a terminal looks for the reason.',
            [OPEN_LOG, RESTART],
        );
        return false;
    }

    /** Says once why there is no server, with what to do next. */
    private fault(sentence: string, choices: string[]): void {
        this.status.failed(sentence);
        void vscode.window.showErrorMessage(forMessage(`keyside: ${sentence}`), ...choices).then(async (chosen) => {
            if (chosen === OPEN_LOG) {
                this.log.show();
            } else if (chosen === RESTART) {
                await this.restart();
            } else if (chosen === OPEN_SETTING) {
                await vscode.commands.executeCommand('workbench.action.openSettings', 'keyside.server.path');
            }
        });
    }

    private async settingsChanged(event: vscode.ConfigurationChangeEvent): Promise<void> {
        if (event.affectsConfiguration('keyside.server')) {
            await this.restart();
        } else if (event.affectsConfiguration('keyside') && this.running?.isRunning()) {
            await client.sendSettings(this.running);
        }
    }
}
