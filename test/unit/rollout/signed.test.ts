import { expect, test } from 'vitest';
import { applyCommand, type RolloutCommand } from '../../../functions/rollout/commands.ts';
import { aWorld, play, START_MS, UNTIL_GATE } from '../../worlds.ts';

const { world } = play(aWorld(), UNTIL_GATE);

test.each(['abort', 'promote', 'resume'] as const)(
  'everything that %s adds to the history bears its id',
  word => {
    const command: RolloutCommand & { id: string } = {
      command: word,
      service: 'hello',
      actor: 'me',
      id: 'c-1',
      full: false,
    };
    const { history } = applyCommand(world, command, START_MS + 60_000).world.rollout;
    const added = history.slice(world.rollout.history.length);
    expect(added.length).toBeGreaterThan(0);
    expect(added.map(entry => entry.command)).toEqual(added.map(() => 'c-1'));
    expect(world.rollout.history.filter(entry => entry.command !== undefined)).toEqual([]);
  },
);
