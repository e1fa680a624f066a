/** A change that a model proposes: shown as a difference, and put in when a person takes it. */

import * as vscode from 'vscode';
import type { ApplyWorkspaceEditParams, ApplyWorkspaceEditResult, TextEdit } from 'vscode-languageclient/node';

import { forLabel, forMessage } from './plain_text';
import { own } from './settings';
import type { Texts } from './texts';

/** The reason that the server hears, and repeats in its sentence. */
export const DISCARDED = 'you discarded the change';

/** How long the server waits for an answer is 300 s. */
const PATIENCE_MS = 295_000;

type Next = (params: ApplyWorkspaceEditParams) => Promise<unknown>;

interface Review {
    uri: vscode.Uri;
    end: (isTaken: boolean) => void;
}

/** Changes before a person. */
export class Changes implements vscode.Disposable {
    private readonly reviews: Review[] = [];
    /** What was taken last: the same again, because somebody typed meanwhile, needs no second question. */
    private taken: string | undefined;
    private readonly disposables: vscode.Disposable[];

    constructor(
        private readonly texts: Texts,
        private readonly documentOf: (uri: string) => vscode.TextDocument | undefined,
        private readonly onDiscard: () => void,
    ) {
        const settle = (isTaken: boolean) => (uri?: vscode.Uri) => {
            const own = this.reviews.find((it) => it.uri.toString() === uri?.toString());
            (own ?? this.reviews.at(-1))?.end(isTaken);
        };
        this.disposables = [
            vscode.commands.registerCommand('keyside.acceptChange', settle(true)),
            vscode.commands.registerCommand('keyside.discardChange', settle(false)),
            texts.onDidClose((uri) => this.reviews.find((it) => it.uri.toString() === uri.toString())?.end(false)),
        ];
    }

    dispose(): void {
        for (const review of [...this.reviews]) {
            review.end(false);
        }
        vscode.Disposable.from(...this.disposables).dispose();
    }

    /** `workspace/applyEdit`. */
    async apply(params: ApplyWorkspaceEditParams, next: Next): Promise<ApplyWorkspaceEditResult> {
        const [change, ...others] = params.edit.documentChanges ?? [];
        const isOne = change !== undefined && others.length === 0 && 'textDocument' in change;
        const document = isOne ? this.documentOf(change.textDocument.uri) : undefined;
        if (!isOne || !document) {
            return await put(params, next);
        }
        const edits = change.edits as TextEdit[];
        const words = JSON.stringify([change.textDocument.uri, edits.map((it) => it.newText)]);
        if (!own('changes.review', true) || this.taken === words) {
            return await put(params, next);
        }
        this.taken = undefined;
        if (document.version !== change.textDocument.version) {
            return { applied: false, failureReason: 'the document has changed' };
        }
        if (!(await this.ask(params.label ?? 'Change', document, edits))) {
            this.onDiscard();
            return { applied: false, failureReason: DISCARDED };
        }
        this.taken = words;
        const result = await put(params, next);
        return result.applied ? result : { applied: false, failureReason: 'the document has changed' };
    }

    /** Shows the difference, and waits for what a person says of it. */
    private async ask(label: string, document: vscode.TextDocument, edits: TextEdit[]): Promise<boolean> {
        const title = forLabel(label);
        const after = this.texts.add('change', title, withEdits(document, edits));
        const isFile = ['file', 'untitled'].includes(document.uri.scheme);
        const before = isFile ? document.uri : this.texts.add('before', title, document.getText());
        let resolve: (isTaken: boolean) => void = () => {};
        const answer = new Promise<boolean>((done) => (resolve = done));
        const review: Review = { uri: after, end: resolve };
        const timer = setTimeout(() => resolve(false), PATIENCE_MS);
        this.reviews.push(review);
        try {
            const opened = await vscode.workspace.openTextDocument(after);
            await vscode.languages.setTextDocumentLanguage(opened, document.languageId);
            await vscode.commands.executeCommand('vscode.diff', before, after, `${title} (proposed)`, { preview: true });
            const name = document.uri.path.slice(document.uri.path.lastIndexOf('/') + 1);
            const message = forMessage(`keyside: ${label} in ${name}: take this change?`);
            void vscode.window.showInformationMessage(message, 'Accept', 'Discard').then((it) => {
                if (it !== undefined) {
                    resolve(it === 'Accept');
                }
            });
            return await answer;
        } finally {
            clearTimeout(timer);
            this.reviews.splice(this.reviews.indexOf(review), 1);
            await this.texts.close(after);
        }
    }
}

async function put(params: ApplyWorkspaceEditParams, next: Next): Promise<ApplyWorkspaceEditResult> {
    return (await next(params)) as ApplyWorkspaceEditResult;
}

/** The text of a document with edits that do not overlap. */
function withEdits(document: vscode.TextDocument, edits: TextEdit[]): string {
    const at = (it: { line: number; character: number }) => document.offsetAt(new vscode.Position(it.line, it.character));
    const inOrder = edits
        .map((it) => ({ start: at(it.range.start), end: at(it.range.end), text: it.newText }))
        .sort((a, b) => b.start - a.start);
    let text = document.getText();
    for (const { start, end, text: replacement } of inOrder) {
        text = text.slice(0, start) + replacement + text.slice(end);
    }
    return text;
}
