import type { Screen, Terminal } from '../../../cli/output.ts';

/** A terminal without colour that keeps what was written on it. */
export class Paper implements Terminal {
  readonly env: NodeJS.ProcessEnv;
  readonly columns = undefined;
  readonly hasColour = false;
  readonly canRedraw: boolean;
  readonly screen: Screen | undefined;
  output = '';
  errors = '';
  readonly #interrupted = new Set<() => void>();

  constructor(env: NodeJS.ProcessEnv = {}, canRedraw = false, screen?: Screen) {
    this.env = env;
    this.canRedraw = canRedraw;
    this.screen = screen;
  }

  readonly out = (text: string): void => {
    this.output += text;
  };

  readonly err = (text: string): void => {
    this.errors += text;
  };

  readonly onInterrupt = (listener: () => void): (() => void) => {
    this.#interrupted.add(listener);
    return () => void this.#interrupted.delete(listener);
  };

  /** Whether anybody would notice Ctrl-C. */
  get isListening(): boolean {
    return this.#interrupted.size > 0;
  }

  /** Ctrl-C. */
  interrupt(): void {
    for (const listener of [...this.#interrupted]) listener();
  }
}
