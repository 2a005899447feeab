import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Button } from '../../../functions/console/contract.ts';
import { readRollout } from '../../../functions/console/records.ts';
import { command } from '../../../functions/handlers/command.ts';
import { applyCommand } from '../../../functions/rollout/commands.ts';
import { newServiceState, type Rollout, type ServiceState } from '../../../functions/rollout/record.ts';
import type { RolloutEvent } from '../../../functions/rollout/state.ts';
import type { World } from '../../../functions/rollout/world.ts';
import { aWorld, play, START_MS, UNTIL_FIRST_PAUSE, UNTIL_HEALTHY } from '../../worlds.ts';
import { aMessage, anOffice, type Office } from '../handlers/office.ts';

/** What a button promises holds: the function `command` takes what is offered, and refuses what is not. */

const SOON_MS = START_MS + 60_000;
const LATE_MS = START_MS + 3 * 3_600_000;

const SETTLED: readonly RolloutEvent[] = [
  ...UNTIL_HEALTHY,
  { type: 'settled', target: 'us', message: 'settled' },
];
const TROUBLED: RolloutEvent = { type: 'troubled', cause: { kind: 'Judge', message: 'bad' } };

function prefixes(events: readonly RolloutEvent[]): [string, World][] {
  return [...events, undefined].map((event, index) => [
    event ? `before ${index + 1}. ${event.type}` : 'after all',
    play(aWorld(), events.slice(0, index)).world,
  ]);
}

function given(world: World, name: 'pause' | 'promote', full = false): World {
  return applyCommand(world, { command: name, full, id: 'earlier', actor: 'ann', service: 'hello' }, SOON_MS)
    .world;
}

const gated = play(aWorld(), UNTIL_HEALTHY.slice(0, -1)).world;
const pausing = play(aWorld(), UNTIL_FIRST_PAUSE).world;
const WORLDS: readonly [string, World][] = [
  ...prefixes(SETTLED),
  ['promoted', given(gated, 'promote')],
  ['promoted in full', given(gated, 'promote', true)],
  ['held', given(pausing, 'pause')],
  ['rolling back', play(pausing, [TROUBLED]).world],
  ['rolled back', play(pausing, [TROUBLED, { type: 'restored' }]).world],
  ['rolling back from Healthy', play(aWorld(), [...UNTIL_HEALTHY, TROUBLED]).world],
  ['in place of another', { ...pausing, rollout: { ...pausing.rollout, undoes: 'hello-9' } }],
  ['Rejected', { ...aWorld(), rollout: { ...aWorld().rollout, phase: 'Rejected' } }],
  [
    'Superseded',
    { rollout: { ...aWorld().rollout, phase: 'Superseded' }, service: newServiceState('hello') },
  ],
];

const digest = `sha256:${'e'.repeat(64)}`;
const BEFORE: Rollout = {
  ...play(aWorld(), UNTIL_HEALTHY).world.rollout,
  id: 'hello-0',
  tag: 'v0',
  digest,
};
const NEXT: Rollout = { ...aWorld().rollout, id: 'hello-2', tag: 'v2', digest: `sha256:${'b'.repeat(64)}` };
const BUSY: Rollout = { ...pausing.rollout, id: 'hello-3', tag: 'v3', digest: `sha256:${'c'.repeat(64)}` };

/** What else is going on with the service. */
const AMONG: readonly [string, (service: ServiceState) => ServiceState][] = [
  ['alone', service => service],
  [
    'with one before it, frozen',
    service => ({
      ...service,
      earlier: ['hello-0'],
      frozen: { by: 'ann', reason: undefined, sinceMs: 1 },
    }),
  ],
  [
    'with one before it in quarantine',
    service => ({
      ...service,
      earlier: ['hello-0'],
      quarantine: { [digest]: { rollout: 'hello-0', message: 'bad', sinceMs: 1 } },
    }),
  ],
  ['with one that waits', service => ({ ...service, waiting: 'hello-2' })],
  [
    'with another in flight that has begun nothing',
    service => ({ ...service, earlier: ['hello-0'], active: service.active ?? 'hello-2' }),
  ],
  ['with another in flight', service => ({ ...service, active: service.active ?? 'hello-3' })],
];

let office: Office;
beforeAll(() => {
  office = anOffice();
});
afterAll(() => office.store.close());

/** The reason of the refusal; undefined when it was carried out. */
async function refusalOf(
  { command: name, gate, refused }: Button,
  { rollout }: World,
  id: string,
): Promise<string | undefined> {
  const isFreeze = name === 'freeze' || name === 'unfreeze';
  const message = {
    id,
    actor: 'me',
    service: 'hello',
    ...(name === 'promote full' ? { command: 'promote', full: true } : { command: name }),
    ...(gate ? { gate } : {}),
    ...(isFreeze ? {} : { rollout: rollout.id }),
  };
  await command(office.deps, aMessage('rollout-commands', message, office.nowMs));
  const rollouts = await office.store.list('rollout');
  const told = rollouts.flatMap(({ history }) => history.filter(entry => entry.command === id));
  // Without a rollout that serves or is in flight nothing tells of a freeze but the service.
  if (isFreeze && told.length === 0) {
    const isFrozen = (await office.service()).frozen?.by;
    return (name === 'freeze' ? isFrozen === 'me' : refused === undefined && !isFrozen) ? undefined : refused;
  }
  expect(told, `${name} leaves a word`).not.toEqual([]);
  return told.find(({ reason }) => reason === 'CommandRefused')?.message;
}

/** With time, only what is offered for something that serves changes. */
const SERVING = WORLDS.filter(([, { rollout, service }]) => service.healthy === rollout.id);

describe.each([
  ['soon', SOON_MS, WORLDS],
  ['when its window is over', LATE_MS, SERVING],
])('every button, %s,', (_when, nowMs, worlds) => {
  test.each(AMONG)('%s: is refused when the command is, and only then', async (_what, change) => {
    office.nowMs = nowMs;
    let count = 0;
    for (const [name, world] of worlds) {
      const put = () => office.put(world.rollout, BEFORE, NEXT, BUSY, change(world.service));
      await put();
      const { buttons } = await readRollout(office.deps, world.rollout.id);
      for (const button of buttons) {
        await put();
        const why = await refusalOf(button, world, `command-${++count}`);
        const place = `${button.command} ${name}`;
        if (button.refused === undefined) expect(why, place).toBeUndefined();
        else expect(why, place).toContain(button.refused);
      }
    }
    expect(count).toBe(worlds.length * 9);
  });
});
