/**
 * What becomes of a suggestion, seen from the changes of its document: VS Code tells an extension of the whole
 * acceptance alone, by the item's command. Pure.
 */

/** A suggestion on the screen. Offsets are in UTF-16 code units. */
export interface ShownSuggestion {
    id: number;
    index: number;
    uri: string;
    /** What it replaces. */
    start: number;
    end: number;
    caret: number;
    text: string;
}

/** What an editor puts in by itself when one key is pressed. */
const PAIRS = new Set(['()', '[]', '{}', '<>', '""', "''", '``']);

export class Follower {
    private current: ShownSuggestion | undefined;
    /** What of the suggestion is in the document. */
    private done = '';
    /** One more character of it, which was typed or taken; the caret's move after it says which. */
    private undecided = '';

    constructor(private readonly notify: (method: string, params: unknown) => void) {}

    /** A suggestion takes the place of the one before. */
    shown(suggestion: ShownSuggestion): void {
        this.current = suggestion;
        // What is typed already stands before the caret.
        this.done = suggestion.text.slice(0, Math.max(0, suggestion.caret - suggestion.start));
        this.notify('keyside/didShow', name(suggestion));
    }

    /** A document has changed: `length` units from `start` on are now `text`. */
    changed(uri: string, start: number, length: number, text: string, isAlone: boolean): void {
        const { current, done } = this;
        this.undecided = '';
        if (!current || current.uri !== uri) {
            return;
        }
        // VS Code puts a part in at the caret, or in the place of all that the suggestion replaces.
        const isOnward = isAlone && start >= current.start && start + length === current.start + done.length;
        const becomes = done.slice(0, start - current.start) + text;
        if (isOnward && becomes === current.text) {
            // The item's command says that it was accepted; typed by hand, it counts for nothing.
            this.current = undefined;
            return;
        }
        if (isOnward && becomes.length > done.length && current.text.startsWith(becomes)) {
            const part = becomes.slice(done.length);
            this.done = becomes;
            if (part.length === 1) {
                this.undecided = part;
            } else if (!PAIRS.has(part)) {
                this.partlyAccepted(current, part);
            }
            return;
        }
        this.current = undefined;
        this.notify('keyside/didReject', name(current));
    }

    /** The caret has moved: as it does while a person types, or by a command. */
    caretMoved(uri: string, isByKeyboard: boolean): void {
        const { current, undecided } = this;
        this.undecided = '';
        if (current && current.uri === uri && undecided && !isByKeyboard) {
            this.partlyAccepted(current, undecided);
        }
    }

    private partlyAccepted(suggestion: ShownSuggestion, part: string): void {
        const unit = part.includes('\n') ? 'line' : 'word';
        this.notify('keyside/didPartiallyAccept', { ...name(suggestion), unit, length: [...part].length });
    }
}

function name({ id, index }: ShownSuggestion): { id: number; index: number } {
    return { id, index };
}
