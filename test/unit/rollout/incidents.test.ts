import { expect, test } from 'vitest';
import { openIncidents, withIncident } from '../../../functions/rollout/incidents.ts';
import { newServiceState, type ServiceState } from '../../../functions/rollout/record.ts';
import { START_MS } from '../../worlds.ts';

const HOUR_MS = 3_600_000;

function after(...said: readonly ('open' | 'closed')[]): ServiceState {
  return said.reduce<ServiceState>(
    (service, state) => withIncident(service, 'i1', state, 'guard', START_MS) ?? service,
    newServiceState('hello'),
  );
}

test('an incident is open until it closes', () => {
  expect(openIncidents(after('open'), START_MS)).toEqual([{ id: 'i1', policy: 'guard' }]);
  expect(openIncidents(after('open', 'closed'), START_MS)).toEqual([]);
});

test('an incident whose end is told before its beginning is over', () => {
  expect(openIncidents(after('closed', 'open'), START_MS)).toEqual([]);
});

test('what was said before is nothing new', () => {
  expect(withIncident(after('open'), 'i1', 'open', 'guard', START_MS)).toBeUndefined();
  expect(withIncident(after('open', 'closed'), 'i1', 'open', 'guard', START_MS)).toBeUndefined();
});

test('an incident is forgotten after a day', () => {
  expect(openIncidents(after('open'), START_MS + 24 * HOUR_MS)).toEqual([]);
  const later = withIncident(after('open'), 'i2', 'open', 'guard', START_MS + 25 * HOUR_MS);
  expect(Object.keys(later?.incidents ?? {})).toEqual(['i2']);
});
