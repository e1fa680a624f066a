/** What keyside is doing, in the status bar. */

import * as vscode from 'vscode';

import { forLabel } from './plain_text';

/** The server's `keyside/status`. */
export interface ServerStatus {
    state: 'loading' | 'ready' | 'error' | 'off';
    message: string;
    network: string;
    files: string;
    uri?: string;
}

/** What the status bar shows. */
export type Shown = 'starting' | 'loading' | 'ready' | 'off' | 'snoozed' | 'error';

/** What the extension knows beside what the server says. */
export interface Surroundings {
    /** Until when nothing is suggested because a person wants so, in milliseconds; 0: no. */
    snoozedUntil_ms(): number;
    latency_ms(): number | undefined;
}

/** The state of the server, of each document in which nothing is suggested, and of the extension. */
export class StatusBar implements vscode.Disposable {
    private readonly item = vscode.window.createStatusBarItem('keyside.status', vscode.StatusBarAlignment.Right, 100);
    private server: ServerStatus | undefined;
    private readonly documents = new Map<string, ServerStatus>();
    private fault: string | undefined;
    private readonly editors: vscode.Disposable;
    private tick: NodeJS.Timeout | undefined;

    constructor(
        private readonly around: Surroundings,
        private readonly uriOf: (document: vscode.TextDocument) => string,
    ) {
        this.item.name = 'keyside';
        this.item.command = 'keyside.menu';
        this.editors = vscode.window.onDidChangeActiveTextEditor(() => this.draw());
        this.draw();
        this.item.show();
    }

    dispose(): void {
        clearTimeout(this.tick);
        this.editors.dispose();
        this.item.dispose();
    }

    /** The server has said something. */
    heard(status: ServerStatus): void {
        if (status.uri === undefined) {
            this.server = status;
            const mayAskCloud = status.network.startsWith('cloud: on');
            void vscode.commands.executeCommand('setContext', 'keyside.cloudIsOn', mayAskCloud);
        } else if (status.state === 'off') {
            this.documents.set(status.uri, status);
        } else {
            this.documents.delete(status.uri);
        }
        this.draw();
    }

    /** The server is started anew: what an earlier one said holds no more. */
    starting(): void {
        this.server = undefined;
        this.documents.clear();
        this.fault = undefined;
        this.draw();
    }

    /** There is no server, for a reason. */
    failed(sentence: string): void {
        this.fault = sentence;
        this.draw();
    }

    /** What there is to say now, of the document that is looked at. */
    now(): { shown: Shown; sentence: string } {
        if (this.fault !== undefined) {
            return { shown: 'error', sentence: this.fault };
        }
        const server = this.server;
        if (!server) {
            return { shown: 'starting', sentence: 'starting' };
        }
        if (server.state === 'error') {
            return { shown: 'error', sentence: server.message };
        }
        if (server.state === 'off') {
            return { shown: 'off', sentence: server.message };
        }
        const here = this.here();
        if (here) {
            return { shown: 'off', sentence: here.message };
        }
        const until_ms = this.around.snoozedUntil_ms();
        if (until_ms > Date.now()) {
            const until = new Date(until_ms).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
            return { shown: 'snoozed', sentence: `snoozed until ${until}` };
        }
        return { shown: server.state, sentence: server.message };
    }

    /** What stands between keyside and a network, in the server's words. */
    network(): string {
        return this.server?.network ?? 'not known yet';
    }

    /** What keeps it from files that are not its own, in the server's words. */
    files(): string {
        return this.server?.files ?? 'not known yet';
    }

    draw(): void {
        const { shown, sentence } = this.now();
        const isCloudOn = this.network().startsWith('cloud: on');
        this.item.text = textOf(shown, isCloudOn);
        const latency_ms = this.around.latency_ms();
        const lines = [
            `keyside: ${forLabel(sentence)}`,
            this.server && `${forLabel(this.network())}; ${forLabel(this.files())}`,
            latency_ms !== undefined && `last suggestion after ${Math.round(latency_ms)} ms`,
            'click for the menu',
        ];
        this.item.tooltip = lines.filter(Boolean).join('\n');
        this.item.accessibilityInformation = { label: `keyside: ${forLabel(sentence)}` };
        this.item.backgroundColor =
            shown === 'error' ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined;
        clearTimeout(this.tick);
        if (shown === 'snoozed') {
            this.tick = setTimeout(() => this.draw(), this.around.snoozedUntil_ms() - Date.now() + 50);
        }
    }

    private here(): ServerStatus | undefined {
        const document = vscode.window.activeTextEditor?.document;
        return document && this.documents.get(this.uriOf(document));
    }
}

function textOf(shown: Shown, isCloudOn: boolean): string {
    switch (shown) {
        case 'starting':
        case 'loading':
            return '$(loading~spin) keyside';
        case 'ready':
            return isCloudOn ? '$(cloud) keyside' : '$(pencil) keyside';
        case 'off':
            return '$(circle-slash) keyside: off';
        case 'snoozed':
            return '$(bell-slash) keyside: snoozed';
        case 'error':
            return '$(error) keyside: error';
    }
}
