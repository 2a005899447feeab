import type { Terminal } from '../../../cli/output.ts';

/** A terminal without colour that keeps what was written on it. */
export class Paper implements Terminal {
  readonly env: NodeJS.ProcessEnv;
  readonly columns = undefined;
  readonly hasColour = false;
  readonly canRedraw: boolean;
  output = '';
  errors = '';

  constructor(env: NodeJS.ProcessEnv = {}, canRedraw = false) {
    this.env = env;
    this.canRedraw = canRedraw;
  }

  readonly out = (text: string): void => {
    this.output += text;
  };

  readonly err = (text: string): void => {
    this.errors += text;
  };
}
