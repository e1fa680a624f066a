/** Answers of a model beside the code, while they are written, and their progress, which can be cancelled. */

import * as vscode from 'vscode';
import type { ProgressToken, WorkDoneProgressBegin, WorkDoneProgressEnd, WorkDoneProgressReport } from 'vscode-languageclient/node';

import { forLabel, forMessage } from './plain_text';
import { ANSWER_LANGUAGE, type Texts } from './texts';

/** The server's `keyside/answer`. */
export interface AnswerParams {
    token: ProgressToken;
    title: string;
    text: string;
    done: boolean;
}

interface OpenProgress {
    report: (message: string) => void;
    end: () => void;
}

/** What is under way, by its progress token. */
export class Answers implements vscode.Disposable {
    private readonly shown = new Map<ProgressToken, vscode.Uri>();
    /** Closed by the person: not opened again. */
    private readonly dismissed = new Set<ProgressToken>();
    private readonly progress = new Map<ProgressToken, OpenProgress>();
    private readonly closing: vscode.Disposable;

    constructor(
        private readonly texts: Texts,
        private readonly cancel: (token: ProgressToken) => void,
    ) {
        this.closing = texts.onDidClose((uri) => {
            for (const [token, shown] of this.shown) {
                if (shown.toString() === uri.toString()) {
                    this.shown.delete(token);
                    this.dismissed.add(token);
                    this.cancel(token);
                }
            }
        });
    }

    dispose(): void {
        this.serverEnded();
        this.closing.dispose();
    }

    /** Nothing more comes of what was under way. */
    serverEnded(): void {
        for (const progress of this.progress.values()) {
            progress.end();
        }
        this.progress.clear();
        this.shown.clear();
        this.dismissed.clear();
    }

    /** `keyside/answer`: the text so far, each time whole. */
    heard(answer: AnswerParams): void {
        const { token, title, text, done } = answer;
        if (this.dismissed.has(token)) {
            return;
        }
        const uri = this.shown.get(token);
        if (uri) {
            this.texts.set(uri, text);
        } else {
            const added = this.texts.add('answer', forLabel(title), text);
            this.shown.set(token, added);
            void this.texts.show(added, ANSWER_LANGUAGE, false);
        }
        if (done) {
            // Whoever closes it now ends nothing.
            this.shown.delete(token);
        }
    }

    /** `$/progress` of the server. */
    onProgress(token: ProgressToken, value: WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd): void {
        switch (value.kind) {
            case 'begin':
                this.begin(token, value);
                return;
            case 'report':
                this.progress.get(token)?.report(forMessage(value.message ?? ''));
                return;
            case 'end':
                this.progress.get(token)?.end();
                this.progress.delete(token);
        }
    }

    private begin(token: ProgressToken, begin: WorkDoneProgressBegin): void {
        const cancellable = begin.cancellable ?? false;
        const location = cancellable ? vscode.ProgressLocation.Notification : vscode.ProgressLocation.Window;
        const title = `keyside: ${forMessage(begin.title)}`;
        const options = { location, title, cancellable };
        void vscode.window.withProgress(options, async (progress, cancelled) => {
            cancelled.onCancellationRequested(() => this.cancel(token));
            progress.report({ message: forMessage(begin.message ?? '') });
            await new Promise<void>((end) => {
                this.progress.set(token, { report: (message) => progress.report({ message }), end });
            });
        });
    }
}
