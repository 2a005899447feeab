import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realClock } from '../../local/clock.ts';
import { InstantDataPlane } from '../../local/dataplane/instant.ts';
import { kubernetesApi } from '../../local/kubernetes/api.ts';
import { Kubernetes } from '../../local/kubernetes/core.ts';
import { kubeconfigOf, serveKubernetes } from '../../local/kubernetes/server.ts';
import { NO_IMAGES } from './images.ts';

/** The local cluster behind a kubeconfig: shows that the suite needs nothing else. @returns the kubeconfig's path */
export async function startLocalCluster(stack: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'slipway-kubernetes-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const dataPlane = new InstantDataPlane(realClock);
  dataPlane.fails = ({ image }) =>
    image.endsWith(NO_IMAGES.brokenDigest)
      ? { reason: 'Exited', message: 'this version ends at once', exitCode: 1 }
      : undefined;
  const place = { project: 'test', location: 'anywhere', cluster: 'local' };
  const core = new Kubernetes({ clock: realClock, dataPlane, ...place });
  stack.defer(() => core.close());
  const server = await serveKubernetes(kubernetesApi(core));
  stack.defer(() => server.close());
  const file = join(directory, 'kubeconfig.json');
  await writeFile(file, kubeconfigOf(server, 'local'));
  return file;
}
