import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalCloud } from './cloud.ts';
import { createSlos, type ExampleSlo } from './example-slos.ts';
import { PROJECT_FOLDER } from './files.ts';
import { applyManifests } from './kubernetes/apply-manifests.ts';
import { EXAMPLE_SERVICE, PROJECT } from './names.ts';

/** What the team that owns the example service has before its first push: a load balancer, manifests and SLOs. */

const REGIONS = ['us-east4', 'europe-west1', 'asia-northeast1'];

export async function setUpExample(cloud: LocalCloud, slo: ExampleSlo): Promise<void> {
  attachRegions(cloud);
  await applyManifests(await readFile(cloud.kubeconfigFile, 'utf8'), await manifests());
  await createSlos(cloud.urls.monitoring, slo);
}

function attachRegions({ cores: { compute } }: LocalCloud): void {
  for (const region of REGIONS) {
    compute.insertNetworkEndpointGroup(PROJECT, region, {
      name: `${EXAMPLE_SERVICE}-${region}`,
      networkEndpointType: 'SERVERLESS',
      cloudRun: { service: EXAMPLE_SERVICE },
    });
  }
  compute.insertBackendService(PROJECT, {
    name: EXAMPLE_SERVICE,
    loadBalancingScheme: 'EXTERNAL_MANAGED',
    protocol: 'HTTPS',
    backends: REGIONS.map(region => ({
      group: `https://www.googleapis.com/compute/v1/projects/${PROJECT}/regions/${region}/networkEndpointGroups/${EXAMPLE_SERVICE}-${region}`,
    })),
  });
}

async function manifests(): Promise<string[]> {
  const folder = join(PROJECT_FOLDER, 'k8s', 'base');
  const files = (await readdir(folder)).filter(file => file.endsWith('.yaml')).sort();
  return Promise.all(files.map(file => readFile(join(folder, file), 'utf8')));
}
