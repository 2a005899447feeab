import { parseArgs } from 'node:util';
import { isUsage } from '../usage.ts';
import { DEMO_TIMES } from './policy.ts';
import { printReport } from './report.ts';
import { type Figures, type Outcome, SCENARIOS, type Scenario } from './scenarios.ts';
import { SLO, Stage } from './stage.ts';
import { openView, type View } from './view.ts';

const USAGE = `npm run demo -- [--json] [--only NAME]

Plays whole rollouts of real images on a local cloud. Exit 0 only if everything came out as expected.
  --json        print {scenarios, figures} on standard output, and nothing else there
  --only NAME   play the scenario whose name starts with NAME, and those it builds on
  --help        this text`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { json: { type: 'boolean' }, only: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const aborter = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => aborter.abort(new Error(`stopped by ${signal}`)));
  }
  const view = openView(values.json ? process.stderr : process.stdout);
  const startedMs = Date.now();
  const { outcomes, figures } = await play(view, values.only, aborter.signal);
  figures.seconds = Math.round((Date.now() - startedMs) / 1000);
  if (values.json) process.stdout.write(`${JSON.stringify({ scenarios: outcomes, figures })}\n`);
  else printReport(view, outcomes, figures);
  return outcomes.length > 0 && outcomes.every(({ ok }) => ok) ? 0 : 1;
}

async function play(
  view: View,
  only: string | undefined,
  signal: AbortSignal,
): Promise<{ outcomes: Outcome[]; figures: Figures }> {
  view.heading(
    'Slipway on a local cloud: three Cloud Run regions behind a load balancer, a GKE ARM pool behind a Gateway',
  );
  view.line(
    `rollouts.yaml, with shorter windows: a pause of 10m lasts ${DEMO_TIMES.pause}, the judge looks every ${DEMO_TIMES.judge.interval}, ` +
      `the fastest alert measures ${SLO.windowSeconds} s instead of 5 minutes, metrics lag 1.5 s instead of 180 s.`,
  );
  const outcomes: Outcome[] = [];
  const figures: Figures = { weights: [], goodRollout: undefined, rollbacks: [], seconds: 0 };
  const stage = await Stage.open(view, signal);
  try {
    for (const scenario of wanted(only)) {
      view.heading(scenario.title);
      outcomes.push({ name: scenario.name, ...(await scenario.play(stage, figures)) });
      view.keep();
    }
  } finally {
    await stage.close();
  }
  return { outcomes, figures };
}

function wanted(only: string | undefined): readonly Scenario[] {
  if (only === undefined) return SCENARIOS;
  const last = SCENARIOS.find(({ name }) => name.startsWith(only));
  if (last)
    return SCENARIOS.filter(
      ({ name }) => name === last.name || last.after.some(earlier => name.startsWith(earlier)),
    );
  throw new Error(
    `--only: expected the beginning of a scenario's name, found "${only}"; there are ${SCENARIOS.map(({ name }) => `"${name}"`).join(', ')}`,
  );
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (isUsage(error)) console.error(`\n${USAGE}`);
  process.exitCode = 1;
}
