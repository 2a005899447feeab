import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** What Terraform itself says of terraform/, with the providers where they are at hand. */

const ROOT = resolve(import.meta.dirname, '../..');
const TERRAFORM = join(ROOT, 'terraform');

/** A folder that `terraform providers mirror FOLDER` has filled: nothing is downloaded here. */
const PLUGINS = process.env['SLIPWAY_TERRAFORM_PLUGINS'];

function terraform(args: readonly string[], cwd: string) {
  const env = {
    ...process.env,
    CHECKPOINT_DISABLE: '1',
    TF_IN_AUTOMATION: '1',
    TF_CLI_CONFIG_FILE: '/dev/null',
  };
  const { status, stdout, stderr } = spawnSync('terraform', [...args], { cwd, env, encoding: 'utf8' });
  return { status, said: `${stdout}${stderr}` };
}

const isInstalled = spawnSync('terraform', ['version'], { env: { ...process.env, CHECKPOINT_DISABLE: '1' } });
const hasTerraform = isInstalled.status === 0;

describe('terraform', () => {
  test('has nothing to format', ({ skip }) => {
    if (!hasTerraform) skip('terraform is not installed');
    const { status, said } = terraform(['fmt', '-check', '-recursive', '-diff'], TERRAFORM);
    expect(said).toBe('');
    expect(status).toBe(0);
  });

  describe('with the providers', () => {
    const work = mkdtempSync(join(tmpdir(), 'slipway-terraform-'));
    const copy = join(work, 'terraform');
    const why = !hasTerraform
      ? 'terraform is not installed'
      : !(PLUGINS && existsSync(PLUGINS))
        ? 'SLIPWAY_TERRAFORM_PLUGINS names no folder of providers, as `terraform providers mirror FOLDER` makes it'
        : undefined;

    beforeAll(() => {
      if (why !== undefined) return;
      for (const folder of ['terraform', 'workflows']) {
        cpSync(join(ROOT, folder), join(work, folder), {
          recursive: true,
          filter: path => !path.includes('.terraform'),
        });
      }
    });
    afterAll(() => rmSync(work, { recursive: true, force: true }));

    const modules = readdirSync(join(TERRAFORM, 'modules'));
    const folders = ['.', 'examples/minimal', 'examples/full', ...modules.map(name => `modules/${name}`)];

    test.for(folders)('finds %s valid', (folder, { skip }) => {
      if (why !== undefined) skip(why);
      const cwd = join(copy, folder);
      const init = terraform(['init', '-backend=false', '-input=false', `-plugin-dir=${PLUGINS}`], cwd);
      expect(init.status, init.said).toBe(0);
      const { status, said } = terraform(['validate', '-no-color'], cwd);
      expect(status, said).toBe(0);
    });

    test('passes its own tests', ({ skip }) => {
      if (why !== undefined) skip(why);
      const init = terraform(['init', '-backend=false', '-input=false', `-plugin-dir=${PLUGINS}`], copy);
      expect(init.status, init.said).toBe(0);
      const { status, said } = terraform(['test', '-no-color'], copy);
      expect(status, said).toBe(0);
    }, 300_000);
  });
});
