import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseBackend, RoundRobin } from '../../../../local/dataplane/choice.ts';
import { cloudRunBackend } from './fixtures/backends.ts';

const stable = cloudRunBackend('hello-1', 95, []);
const canary = cloudRunBackend('hello-2', 5, []);

describe('choosing a backend', () => {
  it.each([
    [0, stable],
    [0.949, stable],
    [0.951, canary],
    [0.999, canary],
  ])('at %d of the weights', (random, expected) => {
    expect(chooseBackend([stable, canary], random)).toBe(expected);
  });

  it('never takes one without weight', () => {
    const none = cloudRunBackend('hello-3', 0, ['http://127.0.0.1:1']);
    const weights = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 5 });
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(weights, random, (list, at) => {
        const backends = [none, ...list.map((weight, n) => cloudRunBackend(`r-${n}`, weight, [])), none];
        const chosen = chooseBackend(backends, at);
        return list.every(weight => weight === 0) ? chosen === undefined : (chosen?.weight ?? 0) > 0;
      }),
    );
  });
});

describe('instances in turn', () => {
  it('each backend has its own turn', () => {
    const turns = new RoundRobin();
    const two = cloudRunBackend('hello-1', 1, ['a', 'b']);
    const other = cloudRunBackend('hello-2', 1, ['c', 'd']);
    expect([turns.order(two), turns.order(other), turns.order(two)]).toEqual([
      ['a', 'b'],
      ['c', 'd'],
      ['b', 'a'],
    ]);
  });

  it('a backend without instances has nothing to order', () => {
    expect(new RoundRobin().order(stable)).toEqual([]);
  });
});
