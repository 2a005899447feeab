import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const APP = fileURLToPath(new URL('../../../app/', import.meta.url));
const DOCKERFILE = read('Dockerfile');
const PIPELINES = readdirSync(`${APP}pipelines`);

const PINNED = /@sha256:[0-9a-f]{64}$/;

function read(path: string): string {
  return readFileSync(`${APP}${path}`, 'utf8');
}

interface Stage {
  readonly platform: string | undefined;
  readonly image: string;
  readonly instructions: readonly string[];
}

/** The Dockerfile's stages, without comments and with continued lines joined. */
function stagesOf(dockerfile: string): readonly Stage[] {
  const lines = dockerfile
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll('\\\n', '')
    .split('\n')
    .filter(line => line.trim() !== '');
  const stages: { platform: string | undefined; image: string; instructions: string[] }[] = [];
  for (const line of lines) {
    const from = /^FROM (?:--platform=(\S+) )?(\S+)/.exec(line);
    if (from) stages.push({ platform: from[1], image: from[2] ?? '', instructions: [] });
    else stages.at(-1)?.instructions.push(line.trim());
  }
  return stages;
}

describe('the Dockerfile', () => {
  const stages = stagesOf(DOCKERFILE);
  const last = stages.at(-1);

  it('runs everything that it runs on the build platform', () => {
    expect(stages.map(({ platform }) => platform)).toEqual(['$BUILDPLATFORM', undefined]);
    expect(last?.instructions.filter(line => line.startsWith('RUN'))).toEqual([]);
  });

  it('takes its base images by digest', () => {
    for (const { image } of stages) expect(image).toMatch(PINNED);
  });

  it('runs as the user that the manifests name, with files that are not its own', () => {
    const manifest = readFileSync(new URL('../../../k8s/base/deployment.yaml', import.meta.url), 'utf8');
    const user = /runAsUser: (\d+)/.exec(manifest)?.[1];

    expect(last?.instructions).toContain(`USER ${user}:${user}`);
    expect(last?.instructions.filter(line => line.startsWith('COPY'))).toEqual([
      'COPY --from=build --chown=0:0 /app /app',
    ]);
  });

  it('says of itself what the service tells: version and architecture', () => {
    expect(last?.instructions).toContain('ARG TARGETARCH');
    expect(last?.instructions).toContain('ENV NODE_ENV=production VERSION=$VERSION TARGETARCH=$TARGETARCH');
  });

  it('starts what the local data plane starts', () => {
    expect(last?.instructions.slice(-2)).toEqual([
      'ENTRYPOINT ["/nodejs/bin/node"]',
      'CMD ["/app/server.ts"]',
    ]);
  });
});

it('installs what the lock file has, and nothing from an address that only it knows', () => {
  const lock = z.object({
    packages: z.record(
      z.string(),
      z.object({ resolved: z.string().optional(), dependencies: z.unknown().optional() }),
    ),
  });
  const { packages } = lock.parse(JSON.parse(read('package-lock.json')));
  const { dependencies } = z
    .object({ dependencies: z.unknown().optional() })
    .parse(JSON.parse(read('package.json')));

  expect(packages['']?.dependencies).toEqual(dependencies);
  expect(Object.values(packages).filter(({ resolved }) => resolved)).toEqual([]);
});

describe.each(PIPELINES)('pipelines/%s', name => {
  const text = read(`pipelines/${name}`);

  it('builds for both platforms, with provenance and a bill of materials, and pushes one version', () => {
    expect(text).toMatch(/platforms?[=: ]\s*linux\/amd64,linux\/arm64/);
    expect(text).toMatch(/provenance[=: ]\s*mode=max/);
    expect(text).toMatch(/sbom[=: ]\s*true/);
    expect(text.match(/(?:--tag[= ]|\btags: \$)/g)).toHaveLength(1);
    expect(text).not.toMatch(/:latest|qemu-action@|binfmt/);
  });

  it('takes everything that it runs by digest or commit', () => {
    const images = [...text.matchAll(/^\s+(?:- )?(?:image|name): (docker\S*|gcr\S*|\S+\/\S+:\S+)$/gm)];
    const actions = [...text.matchAll(/uses: (\S+)/g)];

    expect(images.length + actions.length).toBeGreaterThan(0);
    for (const [, image] of images) expect(image).toMatch(PINNED);
    for (const [, action] of actions) expect(action).toMatch(/@[0-9a-f]{40}$/);
  });

  it('is YAML, keeps no key, and tells the image what it is', () => {
    expect(parse(text)).toBeTypeOf('object');
    expect(text).not.toMatch(/credentials_json|_json_key|PRIVATE KEY/);
    for (const argument of ['VERSION=', 'REVISION=', 'SOURCE=']) expect(text).toContain(argument);
  });
});
