import { expect, test } from 'vitest';
import { cloudEvent } from '../../../functions/google/events.ts';
import { sloAlert } from '../../../functions/handlers/slo-alert.ts';
import { shapeProblems } from '../../cdevents/shape.ts';
import { anAlert, anOffice } from './office.ts';

test('an alert for a service that has had no rollout is on record and published, once', async () => {
  const office = anOffice();
  for (const alert of [anAlert(), anAlert(), anAlert('closed')]) await sloAlert(office.deps, alert);
  expect(office.published.map(({ id, type }) => [id, type])).toEqual([
    ['hello-AlertRecorded-0.a', 'dev.cdevents.incident.detected.0.3.0'],
    ['hello-AlertClosed-0.a', 'dev.cdevents.incident.resolved.0.3.0'],
  ]);
  expect(office.published.map(({ subject }) => subject.id)).toEqual(['0.a', '0.a']);
  expect(shapeProblems(office.published.map(event => cloudEvent(event, 'acme')))).toEqual([]);
  expect(Object.keys((await office.service()).incidents)).toEqual(['0.a']);
  expect(office.launched).toEqual([]);
});
