import { KubeConfig, KubernetesObjectApi, PatchStrategy } from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';
import { isFields } from './objects.ts';

export type Manifest = {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
};

/** What `kubectl apply --server-side -f` does: every document of the texts, in order, by the manager `kubectl`. */
export async function applyManifests(kubeconfig: string, yamlTexts: readonly string[]): Promise<void> {
  const config = new KubeConfig();
  config.loadFromString(kubeconfig);
  const objects = KubernetesObjectApi.makeApiClient(config);
  for (const manifest of yamlTexts.flatMap(manifestsIn)) {
    await objects.patch(manifest, undefined, undefined, 'kubectl', undefined, PatchStrategy.ServerSideApply);
  }
}

/** The objects in a YAML text; lists of file names such as a kustomization are none. */
export function manifestsIn(yamlText: string): Manifest[] {
  return parseAllDocuments(yamlText).flatMap(document => {
    const value: unknown = document.toJS();
    return isManifest(value) ? [value] : [];
  });
}

function isManifest(value: unknown): value is Manifest {
  return (
    isFields(value) &&
    typeof value['apiVersion'] === 'string' &&
    typeof value['kind'] === 'string' &&
    isFields(value['metadata'])
  );
}
