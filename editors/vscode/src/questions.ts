/** What the server says to a person and asks of them: sentences, and whether text may be sent. */

import { promises as fs } from 'node:fs';
import * as vscode from 'vscode';
import { type MessageActionItem, MessageType, type ShowDocumentParams, type ShowMessageRequestParams } from 'vscode-languageclient/node';

import { DISCARDED } from './changes';
import { forMessage, inTwoParts, readableRequest } from './plain_text';
import { ANSWER_LANGUAGE, type Texts } from './texts';

/** The server's choices, by what its buttons say (docs/protocol.md). */
const SEND_ONCE = 'Send once';
const SHOW = 'Show what will be sent';
const CANCEL = 'Cancel';

/** How long the server waits for an answer is 300 s; a person who reads longer is asked nothing any more. */
const PATIENCE_MS = 295_000;

/** What will be sent, before a person who reads it. */
interface Reading {
    uri: vscode.Uri;
    /** Whether the person has read it, and is to be asked again. */
    wasRead: Promise<boolean>;
    end: (wasRead: boolean) => void;
}

/** Messages and questions of the server. */
export class Questions implements vscode.Disposable {
    private reading: Reading | undefined;
    private readonly disposables: vscode.Disposable[];
    /** A change was discarded: what is kept of it is not opened. */
    wasDiscarded = false;

    constructor(private readonly texts: Texts) {
        this.disposables = [
            texts.onDidClose((uri) => {
                if (this.reading?.uri.toString() === uri.toString()) {
                    this.reading.end(true);
                }
            }),
            vscode.commands.registerCommand('keyside.answerQuestion', () => this.reading?.end(true)),
            vscode.languages.registerCodeLensProvider({ scheme: 'keyside', pattern: '/what-is-sent/**' }, {
                provideCodeLenses: () => [
                    new vscode.CodeLens(new vscode.Range(0, 0, 0, 0), {
                        title: '$(question) Answer the question',
                        command: 'keyside.answerQuestion',
                    }),
                ],
            }),
        ];
    }

    dispose(): void {
        this.reading?.end(false);
        vscode.Disposable.from(...this.disposables).dispose();
    }

    /** `window/showMessage`. */
    tell(type: MessageType, message: string): void {
        const text = forMessage(message);
        if (type === MessageType.Error && !text.includes(DISCARDED)) {
            void vscode.window.showErrorMessage(text);
        } else if (type === MessageType.Warning) {
            void vscode.window.showWarningMessage(text);
        } else {
            void vscode.window.showInformationMessage(text);
        }
    }

    /** `window/showMessageRequest`. */
    async ask(params: ShowMessageRequestParams): Promise<MessageActionItem | null> {
        const titles = (params.actions ?? []).map((it) => it.title);
        if (!titles.includes(SEND_ONCE)) {
            const ask =
                params.type === MessageType.Error ? vscode.window.showErrorMessage
                : params.type === MessageType.Warning ? vscode.window.showWarningMessage
                : vscode.window.showInformationMessage;
            const title = await ask(forMessage(params.message), ...titles);
            return title === undefined ? null : { title };
        }
        if (this.reading && !(await this.reading.wasRead)) {
            return { title: CANCEL };
        }
        // To look comes first: a key that was meant for the code sends nothing.
        const others = titles.filter((it) => it !== CANCEL && it !== SHOW);
        const choices = titles.includes(SHOW) ? [SHOW, ...others] : others;
        const [message, detail] = inTwoParts(forMessage(params.message));
        const title = await vscode.window.showInformationMessage(message, { modal: true, detail }, ...choices);
        return { title: title ?? CANCEL };
    }

    /** `window/showDocument`: whether it is shown. */
    async show(params: ShowDocumentParams): Promise<boolean> {
        const uri = vscode.Uri.parse(params.uri);
        if (params.external === true || uri.scheme !== 'file') {
            return false;
        }
        const name = uri.path.slice(uri.path.lastIndexOf('/') + 1);
        if (/^request-[0-9a-f]+(-\d+)?\.json$/.test(name)) {
            return await this.showRequest(uri);
        }
        if (this.wasDiscarded && name.endsWith('.diff')) {
            this.wasDiscarded = false;
            return true;
        }
        const opened = await vscode.workspace.openTextDocument(uri);
        const document = name.endsWith('.md') ? await vscode.languages.setTextDocumentLanguage(opened, ANSWER_LANGUAGE) : opened;
        const preserveFocus = params.takeFocus !== true;
        await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Beside, preserveFocus, preview: false });
        return true;
    }

    private async showRequest(file: vscode.Uri): Promise<boolean> {
        this.reading?.end(false);
        const text = readableRequest(await fs.readFile(file.fsPath, 'utf8'));
        const uri = this.texts.add('what-is-sent', 'what will be sent', text);
        let resolve: (wasRead: boolean) => void = () => {};
        const wasRead = new Promise<boolean>((done) => (resolve = done));
        const timer = setTimeout(() => {
            reading.end(false);
            void vscode.window.showInformationMessage('keyside: nothing was sent, because the question has run out; choose the action again');
        }, PATIENCE_MS);
        const reading: Reading = {
            uri,
            wasRead,
            end: (it) => {
                clearTimeout(timer);
                if (this.reading === reading) {
                    this.reading = undefined;
                }
                resolve(it);
                void this.texts.close(uri);
            },
        };
        this.reading = reading;
        await this.texts.show(uri, 'plaintext', true);
        return true;
    }
}
