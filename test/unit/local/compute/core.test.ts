import { expect, test } from 'vitest';
import { VirtualClock } from '../../../../local/clock.ts';
import { ComputeCore } from '../../../../local/compute/core.ts';
import { fingerprintOf } from '../../../../local/compute/resources.ts';

function neg(name: string, service = 'hello') {
  return { name, networkEndpointType: 'SERVERLESS', cloudRun: { service } };
}

function groupPath(region: string, name: string) {
  return `projects/acme/regions/${region}/networkEndpointGroups/${name}`;
}

function world() {
  const core = new ComputeCore({ clock: new VirtualClock() });
  core.insertNetworkEndpointGroup('acme', 'us-east4', neg('us'));
  core.insertNetworkEndpointGroup('acme', 'us-east4', neg('us-again'));
  core.insertNetworkEndpointGroup('acme', 'europe-west1', neg('eu'));
  return core;
}

test('the load balancer reaches the Cloud Run services of its groups', () => {
  const core = world();
  core.insertBackendService('acme', {
    name: 'hello',
    backends: [{ group: groupPath('us-east4', 'us') }, { group: groupPath('europe-west1', 'eu') }],
  });

  expect(core.backendsOf('acme', 'hello')).toEqual([
    { region: 'us-east4', service: 'hello', tag: undefined },
    { region: 'europe-west1', service: 'hello', tag: undefined },
  ]);
});

test.each([
  [{ name: 'Hello' }, 'lowercase letters'],
  [{ name: 'hello', backends: [{ group: 'nonsense' }] }, 'The URL is malformed'],
  [{ name: 'hello', backends: [{ group: groupPath('us-east4', 'gone') }] }, 'was not found'],
  [
    {
      name: 'hello',
      backends: [{ group: groupPath('us-east4', 'us') }, { group: groupPath('us-east4', 'us-again') }],
    },
    'us-east4 has two',
  ],
  [{ name: 'hello', healthChecks: ['projects/acme/global/healthChecks/x'] }, 'take no health checks'],
])('a backend service %j is refused', (body, message) => {
  expect(() => world().insertBackendService('acme', body)).toThrow(message);
});

test('a name is given once', () => {
  const core = world();
  core.insertBackendService('acme', { name: 'hello' });
  expect(() => core.insertBackendService('acme', { name: 'hello' })).toThrow('already exists');
  expect(() => core.insertNetworkEndpointGroup('acme', 'us-east4', neg('us'))).toThrow('already exists');
});

test('of two patches prepared from the same reading the second is refused', () => {
  const core = world();
  core.insertBackendService('acme', { name: 'hello', backends: [{ group: groupPath('us-east4', 'us') }] });
  const fingerprint = fingerprintOf(core.getBackendService('acme', 'hello').fields);
  const backends = [{ group: groupPath('europe-west1', 'eu') }];

  core.patchBackendService('acme', 'hello', { fingerprint, backends });

  expect(() => core.patchBackendService('acme', 'hello', { fingerprint, backends: [] })).toThrow(
    'Invalid fingerprint.',
  );
  expect(core.backendsOf('acme', 'hello').map(({ region }) => region)).toEqual(['europe-west1']);
});
