import { expect, test } from 'vitest';
import { kubernetesApi } from '../../../../local/kubernetes/api.ts';
import { Cluster, deployment } from './cluster.ts';

test('kubectl gets the table it asks for', async () => {
  const cluster = new Cluster();
  cluster.dataPlane.fails = () => ({ reason: 'Exited', message: 'exited with code 1', exitCode: 1 });
  await cluster.create(deployment());
  await cluster.clock.advance(5_000);

  const reply = await kubernetesApi(cluster.core)({
    method: 'GET',
    path: '/api/v1/namespaces/default/pods',
    query: new URLSearchParams(),
    headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' },
    body: Buffer.alloc(0),
  });

  expect(reply.body).toMatchObject({
    kind: 'Table',
    columnDefinitions: ['Name', 'Ready', 'Status', 'Restarts', 'Node', 'Age'].map(name => ({ name })),
    rows: [
      {
        cells: [
          expect.stringMatching(/^web-/),
          '0/1',
          'CrashLoopBackOff',
          1,
          'gke-main-default-pool-1',
          '5s',
        ],
      },
    ],
  });
});
