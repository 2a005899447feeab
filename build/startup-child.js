/**
 * A fresh process that imports the files named on its command line: the first one as a function does at its start, the
 * others as it does when it first needs them. Prints what that took as JSON. No TypeScript: Node's support of it would be
 * in the memory that is measured.
 */
import { pathToFileURL } from 'node:url';

const [index, ...later] = process.argv.slice(2);
const sinceMs = performance.now();
const moment = () => ({ ms: performance.now() - sinceMs, rssMb: process.memoryUsage().rss / 1e6 });

await import(pathToFileURL(index).href);
const start = moment();
for (const file of later) await import(pathToFileURL(file).href);
console.log(JSON.stringify({ start, most: moment() }));
process.exit();
