import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../cli/main.ts';
import type { Rollout } from '../../functions/rollout/record.ts';
import { Paper } from '../unit/cli/terminal.ts';
import { Crowd, canaryOf, oneOfTheCrowd, stableOf } from './crowd.ts';
import { GATED } from './world.ts';

/** What somebody on call types, against a whole cloud; everything but the process around it is real. */

let crowd: Crowd;
let digest: string;

beforeAll(async () => {
  const mine = { ...GATED, commandsTopic: 'team-commands' };
  crowd = await Crowd.open([
    oneOfTheCrowd('watched', GATED),
    oneOfTheCrowd('stopped', GATED),
    oneOfTheCrowd('theirs', mine),
  ]);
  digest = await crowd.build('a');
});
afterAll(() => crowd?.close());

/** As `npm start` tells it. */
function paper(): Paper {
  return new Paper({ ...crowd.world.cloud.env, USER: 'ann', SLIPWAY_LOCAL: '' });
}

async function slipway(...argv: string[]): Promise<{ code: number; output: string; errors: string }> {
  const here = paper();
  return { code: await run(argv, here), output: here.output, errors: here.errors };
}

const atGate = ({ phase, message }: Rollout) => phase === 'Paused' && message.includes('waiting for promote');

async function pushed(service: string): Promise<Rollout> {
  await crowd.serve(service);
  crowd.push(`${service}-a`, digest);
  return crowd.world.until(service, `${service}-a`, atGate);
}

test.concurrent('a rollout is watched, promoted, told, and taken back after it was Healthy', async () => {
  const { id } = await pushed('watched');
  expect(await slipway('status', 'watched')).toMatchObject({ code: 2 });
  const screen = paper();
  const watching = run(['get', 'rollout', 'watched', '--watch'], screen);

  const promoted = await slipway('promote', 'watched', '--gate', 'wave 1 step 2', '--reason', 'looks good');
  expect(promoted).toMatchObject({ code: 0, errors: '' });
  expect(promoted.output.split('\n')).toEqual([
    'ann (looks good): promote wave 1 step 2',
    `Watch it: slipway get rollout ${id} --watch`,
    'Take it back: slipway abort watched',
    '',
  ]);
  expect(await slipway('status', 'watched', '--timeout', '1m')).toMatchObject({ code: 0, errors: '' });
  expect(await watching).toBe(0);
  expect(screen.output).toMatch(/ Paused .* waiting for promote\n(?:.*\n)*.* ann \(looks good\): promote /);
  expect(screen.output).toMatch(/ Healthy {6}Promotion completed! [^\n]*\n$/);

  const undone = await slipway('undo', 'watched', '-o', 'json');
  expect(JSON.parse(undone.output)).toMatchObject({
    command: { command: 'undo', actor: 'ann' },
    outcome: 'done',
    rollout: { id, phase: 'RollingBack' },
    entry: { message: 'ann: undo' },
  });
  expect(await slipway('status', id, '--timeout', '1m')).toMatchObject({ code: 1 });
  expect(crowd.traffic('watched').shares).toEqual({ [stableOf('watched')]: 100 });
});

test.concurrent('a rollout is aborted, explained, and tried again', async () => {
  const rollout = await pushed('stopped');
  const refused = await slipway('resume', 'stopped');
  expect(refused).toMatchObject({ code: 1, output: '' });
  expect(refused.errors).toMatch(/^resume does not apply: nobody paused it; .*\nNothing was changed\.\n/);

  const aborted = await slipway('abort', rollout.id, '--actor', 'bob', '--reason', 'checkout is slow');
  expect(aborted.code).toBe(0);
  expect(aborted.output).toMatch(/^bob \(checkout is slow\): abort\n/);
  expect(aborted.output).toContain(`Try that digest again: slipway retry ${rollout.id}`);
  expect(await slipway('status', 'stopped', '--timeout', '1m')).toMatchObject({ code: 1 });
  const { output } = await slipway('explain', 'stopped');
  expect(output).toMatch(/is Degraded: it was rolled back, .* Abort by bob \(checkout is slow\)\./);
  expect(output).toMatch(/\nRestored:\n {2}us: restored to stopped-\S+ \(sha256:5{12}\), /);
  expect(output).toMatch(/\nQuarantine:\n {2}No push starts this digest since /);

  expect(await slipway('retry', 'stopped')).toMatchObject({ code: 0 });
  const again = await crowd.world.until('stopped', 'stopped-a', atGate);
  expect(crowd.traffic('stopped').shares).toMatchObject({ [canaryOf(again)]: 50 });
});

test.concurrent('a command goes to the topic that the policy names, and one on another is put aside', async () => {
  const { pubsub } = crowd.world.cloud.cores;
  pubsub.createTopic('projects/acme/topics/team-commands');
  const sent = await slipway('freeze', 'theirs', '--no-wait');
  expect(sent).toMatchObject({ code: 0, errors: '' });
  expect(sent.output).toMatch(/^Sent freeze theirs on team-commands as cli-/);

  const aside = await slipway('freeze', 'theirs', '--topic', 'rollout-commands');
  expect(aside.code).toBe(1);
  expect(aside.errors).toMatch(/^commands for theirs are taken from topic team-commands only\n/);

  const late = await slipway('freeze', 'theirs', '--timeout', '50ms');
  expect(late).toMatchObject({ code: 2, output: '' });
  expect(late.errors).toMatch(/nothing came of it in time, and it may yet\.\n/);

  const here = paper();
  const waiting = run(['freeze', 'theirs'], here);
  await crowd.world.eventually(
    () => 'the command to wait',
    () => here.isListening,
  );
  here.interrupt();
  expect(await waiting).toBe(130);
  expect(here.errors).toMatch(
    /^Sent freeze theirs on team-commands as .*\nWhat comes of it: slipway history theirs/,
  );
});

test.concurrent('a service that nobody knows is refused with those there are', async () => {
  const { code, errors } = await slipway('freeze', 'nobody');
  expect(code).toBe(1);
  expect(errors).toMatch(/^there is no service nobody; the policy has watched, stopped, theirs\n/);
  const topic = await slipway('freeze', 'watched', '--topic', 'nowhere');
  expect(topic.code).toBe(2);
  expect(topic.errors).toContain('Project acme has no topic nowhere.');
});
