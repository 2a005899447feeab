/**
 * A fresh process that imports the files named on its command line, the first one as a function does at its start, the
 * others as it does when it first needs them. Prints what that took as JSON.
 */
import { pathToFileURL } from 'node:url';

export interface Startup {
  readonly start: Moment;
  /** With everything that it may need, the start included. */
  readonly most: Moment;
}

interface Moment {
  readonly ms: number;
  /** Resident memory of the process. */
  readonly rssMb: number;
}

const [index = '', ...later] = process.argv.slice(2);
const sinceMs = performance.now();
const moment = (): Moment => ({ ms: performance.now() - sinceMs, rssMb: process.memoryUsage().rss / 1e6 });

await import(pathToFileURL(index).href);
const start = moment();
for (const file of later) await import(pathToFileURL(file).href);
const report: Startup = { start, most: moment() };
console.log(JSON.stringify(report));
process.exit();
