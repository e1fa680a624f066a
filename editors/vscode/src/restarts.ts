/** How often a server that ends by itself is started again. Pure. */

const WINDOW_MS = 3 * 60 * 1000;
const MAX_RESTARTS = 5;

/** The restarts of the last three minutes. */
export class Restarts {
    private times: number[] = [];

    /** Whether the server may be started again at this time; then that is counted. */
    mayRestart(now_ms: number): boolean {
        this.times = this.times.filter((it) => now_ms - it < WINDOW_MS);
        if (this.times.length >= MAX_RESTARTS) {
            return false;
        }
        this.times.push(now_ms);
        return true;
    }

    /** A person has started it: what was before counts no more. */
    forget(): void {
        this.times = [];
    }
}
