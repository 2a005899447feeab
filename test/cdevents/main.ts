import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { buildChecker } from './checker.ts';

/** `npm run test:cdevents`: builds the checker, then runs the tests whose events it checks. */

const TESTS = ['test/unit/rollout/cdevents.test.ts', 'test/e2e/events.test.ts'];
const VITEST = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));

console.log(`checker: ${await buildChecker()}`);
const tests = spawn(process.execPath, [VITEST, 'run', ...TESTS], { stdio: 'inherit' });
const [code] = await once(tests, 'exit');
process.exitCode = typeof code === 'number' ? code : 1;
