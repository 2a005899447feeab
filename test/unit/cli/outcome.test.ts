import { describe, expect, test } from 'vitest';
import { commandReport } from '../../../cli/command-report.ts';
import { outcomeOf, type SentCommand, told } from '../../../cli/outcome.ts';
import { applyCommand, type RolloutCommand, remember } from '../../../functions/rollout/commands.ts';
import { note, type Rollout } from '../../../functions/rollout/record.ts';
import { sqliteStore } from '../../../functions/store/sqlite.ts';
import { aWorld, play, START_MS, UNTIL_GATE } from '../../worlds.ts';

const SENT: SentCommand & RolloutCommand = {
  command: 'promote',
  service: 'hello',
  actor: 'me',
  id: 'cli-1',
  full: false,
};
const { world } = play(aWorld(), UNTIL_GATE);

function given(command: RolloutCommand & { id: string }): Rollout {
  return applyCommand(world, command, START_MS + 60_000).world.rollout;
}

describe('what the history says of a command', () => {
  test('is the entry that it made', () => {
    const outcome = told([given(SENT)], SENT);
    expect(outcome).toMatchObject({
      is: 'done',
      entry: { reason: 'RolloutPromoted', message: 'me: promote wave 1 step 4' },
    });
  });

  test('is why it was refused', () => {
    const resume = { ...SENT, command: 'resume' } as const;
    expect(told([given(resume)], resume)).toMatchObject({
      is: 'refused',
      why: 'resume does not apply: nobody paused it; a gate opens with promote',
    });
  });

  test('is nothing of what was there before, or what others did', () => {
    const others = note(given(SENT), START_MS, 'RolloutPaused', 'me: pause');
    expect(told([others], { id: 'cli-2' })).toBeUndefined();
    expect(told([world.rollout], SENT)).toBeUndefined();
  });
});

test('a command is dealt with once the service remembers it, or it was put aside', async () => {
  const store = sqliteStore(':memory:', () => START_MS);
  const asked = () => outcomeOf(store, SENT);
  expect(await asked()).toBeUndefined();
  await store.transact(async transaction => {
    transaction.write('service', 'hello', remember(world.service, 'cli-1'));
    transaction.write('rollout', world.rollout.id, given(SENT));
  });
  expect(await asked()).toMatchObject({ is: 'done', rollout: { id: world.rollout.id } });

  const lost = { ...SENT, id: 'cli-2', service: 'nothere' };
  const dead = {
    id: 'm',
    topic: 't',
    receivedMs: START_MS,
    problem: 'no such service',
    text: JSON.stringify(lost),
  };
  await store.transact(async transaction => transaction.write('deadMessage', 't-m', dead));
  expect(await outcomeOf(store, lost)).toEqual({
    is: 'refused',
    why: 'no such service',
  });
  await store.close();
});

describe('the report', () => {
  const plain = (_: string, text: string) => text;

  test('says what was done and how to go back', () => {
    const rollout = given({ ...SENT, command: 'abort' });
    const entry = rollout.history.findLast(({ reason }) => reason === 'RolloutAborted');
    const command = { ...SENT, command: 'abort' } as const;
    const { out, err } = commandReport(
      { command, topic: 't', waited: { is: 'done', rollout, entry } },
      plain,
    );
    expect(err).toEqual([]);
    expect(out).toEqual([
      'me: abort',
      `${rollout.id} (v1) is RollingBack: Rolling back hello v1: abort by me`,
      `Watch it: slipway get rollout ${rollout.id} --watch`,
      `Try that digest again: slipway retry ${rollout.id}`,
    ]);
  });

  test.each(['late', 'interrupted'] as const)('says how to look when it is %s', waited => {
    const { out, err } = commandReport({ command: SENT, topic: 't', waited }, plain);
    expect(out).toEqual([]);
    expect(err.join('\n')).toMatch(/^Sent promote hello on t as cli-1.*\n.*slipway history hello/);
  });

  test('shows a hostile refusal without acting on it', () => {
    const waited = { is: 'refused', why: '\u001b[2J\u202eevil' } as const;
    const { err } = commandReport({ command: SENT, topic: 't', waited }, plain);
    expect(err[0]).toBe(' [2J evil');
  });
});
