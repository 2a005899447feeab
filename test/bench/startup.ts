import { parseArgs } from 'node:util';
import type { Rollout } from '../../functions/rollout/record.ts';
import { topicName } from '../../local/wiring.ts';
import { IMAGE, openRegions, SERVICE } from './regions.ts';
import { median, table } from './report.ts';
import { type Call, startFunction } from './start-function.ts';
import type { Startup } from './startup-child.ts';

/**
 * What a fresh instance of each function costs, up to its first answer.
 * @returns whether none of them loads a client before it is called
 */
export async function benchStartup(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({ args: [...args], options: { runs: { type: 'string', default: '5' } } });
  const starts: (readonly [string, Startup])[] = [];
  for (let run = 0; run < Number(values.runs); run++) starts.push(...(await startEach()));
  const names = [...new Set(starts.map(([name]) => name))];
  const rows = names.map(name =>
    row(
      name,
      starts.filter(([one]) => one === name).map(([, start]) => start),
    ),
  );
  console.log(
    `Each function in a fresh process, median of ${values.runs}; its first call loads the clients it uses\n`,
  );
  console.log(
    table([['function', 'import', 'memory', 'first call', 'memory then', 'clients it loads'], ...rows]),
  );
  return starts.every(([, { imported }]) => imported.packages.length === 0);
}

/** In a world of their own, since the calls change it. */
async function startEach(): Promise<(readonly [string, Startup])[]> {
  const regions = await openRegions({ count: 1, progressDeadline: '20s' });
  try {
    const starts: (readonly [string, Startup])[] = [];
    for (const call of typicalCalls(await regions.reachGate())) {
      starts.push([call.name, await startFunction(regions.env, call)]);
    }
    return starts;
  } finally {
    await regions.close();
  }
}

function row(name: string, starts: readonly Startup[]): string[] {
  const calls = starts.flatMap(({ called }) => called ?? []);
  const refused = calls.find(({ status }) => status >= 300);
  if (refused) throw new Error(`${name} answered ${refused.status}`);
  const imported = starts.flatMap(start => start.imported.packages);
  return [
    name,
    `${median(starts.map(start => start.importMs)).toFixed(0)} ms`,
    `${median(starts.map(start => start.imported.rssMb)).toFixed(0)} MB`,
    `${median(calls.map(call => call.callMs)).toFixed(0)} ms`,
    `${median(calls.map(call => call.rssMb)).toFixed(0)} MB`,
    [
      ...(imported.length > 0 ? [`on import: ${imported.join(' ')}`] : []),
      ...(calls.at(-1)?.packages ?? []),
    ].join(', '),
  ];
}

/** In this order; the last one takes the rollout back. */
function typicalCalls(rollout: Rollout): readonly Call[] {
  const execution = rollout.owner?.execution.split('/').at(-1);
  const { id, epoch, digest } = rollout;
  const activity = {
    activity: 'deploy',
    rollout: id,
    execution,
    epoch,
    target: Object.keys(rollout.targets)[0],
  };
  const incident = { incident_id: '1', state: 'open', policy_user_labels: { slipway_service: SERVICE } };
  return [
    push('imagePush', 'gcr', { action: 'INSERT', digest: `${IMAGE}@${digest}`, tag: `${IMAGE}:v3` }),
    push('command', 'rollout-commands', { command: 'pause', service: SERVICE, actor: 'bench' }),
    { name: 'sweep', path: '', body: {} },
    { name: 'activity', path: '', body: activity },
    push('deadLetter', 'dead-letters', { any: 'thing' }),
    push('sloAlert', 'slo-alerts', { version: '1.2', incident }),
  ];
}

function push(name: string, topic: string, data: object): Call {
  const message = {
    data: Buffer.from(JSON.stringify(data)).toString('base64'),
    messageId: name,
    publishTime: new Date().toISOString(),
    attributes: {},
  };
  return {
    name,
    path: topicName(topic),
    body: { message, subscription: `projects/acme/subscriptions/${name}` },
  };
}
