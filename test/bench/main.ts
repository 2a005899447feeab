import { benchConsole } from './console.ts';
import { benchCost } from './cost.ts';
import { benchJudge } from './judge.ts';
import { benchStartup } from './startup.ts';
import { benchTargets } from './targets.ts';
import { benchVerify } from './verify.ts';

const BENCHES: Readonly<Record<string, (args: readonly string[]) => Promise<boolean>>> = {
  targets: benchTargets,
  startup: benchStartup,
  judge: benchJudge,
  verify: benchVerify,
  console: benchConsole,
  cost: benchCost,
};

const [name = '', ...args] = process.argv.slice(2);
const bench = BENCHES[name];
if (bench) {
  process.exitCode = (await bench(args)) ? 0 : 1;
} else {
  console.error(`there is no bench "${name}": npm run bench -- ${Object.keys(BENCHES).join(' | ')}`);
  process.exitCode = 2;
}
