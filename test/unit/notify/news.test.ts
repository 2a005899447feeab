import { describe, expect, test } from 'vitest';
import { messageEvent, serviceEvent } from '../../../functions/rollout/cdevents.ts';
import { START_MS } from '../../worlds.ts';
import { A_ROLLOUT, anEvent, published, readNews } from './world.ts';

describe('what an event says to people', () => {
  test('of a rollout: what, where, why', () => {
    const body = anEvent('RolledBack', 'Rolled back hello v1: too many errors');
    expect(readNews(body)).toMatchObject({
      reason: 'RolledBack',
      service: 'hello',
      rollout: A_ROLLOUT.id,
      image: 'example.dev/acme/hello',
      tag: 'v1',
      phase: 'Paused',
      message: 'Rolled back hello v1: too many errors',
      weights: { us: 50, eu: 0 },
      timeMs: START_MS,
      body,
    });
  });

  test('of a message that was lost: its topic and the problem', () => {
    const dead = { id: '7', topic: 'dead-letters', receivedMs: START_MS, problem: 'gave up', text: '{}' };
    expect(readNews(published(messageEvent('deadlettered', 'dead-letters-7', dead)))).toMatchObject({
      reason: 'MessageDeadLettered',
      topic: 'dead-letters',
      message: 'gave up',
    });
  });

  test('of a service that a person froze, whatever reason the person gave', () => {
    const details = { actor: 'ada', reason: 'RolledBack', message: 'by ada: freeze' };
    const event = serviceEvent('frozen', 'hello-freeze-1', 'hello', details, START_MS);
    expect(readNews(published(event))).toMatchObject({ reason: 'ServiceFrozen', service: 'hello' });
  });

  test('of an event that could not be told: nothing, or that would be lost as well, without end', () => {
    const text = anEvent('RolledBack', 'Rolled back');
    const dead = { id: '8', topic: 'dead-letters', receivedMs: START_MS, problem: 'gave up', text };
    expect(readNews(published(messageEvent('deadlettered', 'dead-letters-8', dead)))).toBeUndefined();
  });

  test('of a type that is called like something of every object: what its reason says', () => {
    const body = anEvent('RolledBack', 'Rolled back').replace(/"type":"[^"]*"/, '"type":"constructor"');
    expect(readNews(body)).toMatchObject({ reason: 'RolledBack' });
  });

  test('of a reason that this version does not know: nothing', () => {
    const body = anEvent('RolledBack', 'Rolled back').replaceAll('"RolledBack"', '"RolledSideways"');
    expect(readNews(body)).toBeUndefined();
  });
});
