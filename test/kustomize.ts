import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const K8S = fileURLToPath(new URL('../k8s/', import.meta.url));

/** Tests that build manifests say so in their names, and are skipped without it. */
export const hasKubectl = spawnSync('kubectl', ['kustomize', '--help']).status === 0;

/** The manifests of a folder, as one YAML text. */
export function build(folder: string): string {
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', folder], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`kubectl kustomize ${folder}: ${stderr}`);
  return stdout;
}

/** What an overlay of the base with this component of k8s/components comes to. */
export function withComponent(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-overlay-'));
  try {
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      namespace: 'default',
      resources: [relative(folder, join(K8S, 'base'))],
      components: [relative(folder, join(K8S, 'components', name))],
    };
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
    return build(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
