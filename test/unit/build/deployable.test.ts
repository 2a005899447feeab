import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { satisfies } from 'semver';
import { describe, expect, test } from 'vitest';
import { isAllowed } from '../../../build/licences.ts';
import { functionsManifest } from '../../../build/manifest.ts';
import { grantsOf, LOADED_WITH, printSizes, sizesOf } from '../../../build/sizes.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const FRAMEWORK = '@google-cloud/functions-framework';

describe('what is installed beside the functions', () => {
  test('is the framework with everything that it needs, in the versions that it asks for', async () => {
    const { installed } = await functionsManifest(ROOT);
    expect(Object.keys(installed)).toContain(`node_modules/${FRAMEWORK}`);
    const wrong = Object.entries(installed).flatMap(([place, { dependencies = {} }]) =>
      Object.entries(dependencies)
        .filter(([name, range]) => !satisfies(versionFor(installed, place, name), range))
        .map(([name, range]) => `${place} wants ${name} ${range}`),
    );
    expect(wrong).toEqual([]);
  });

  test('is of this project’s own lockfile, and nothing else of it', async () => {
    const { installed } = await functionsManifest(ROOT);
    expect(Object.keys(installed).filter(place => /google-gax|vitest|typescript/.test(place))).toEqual([]);
  });
});

function versionFor(
  installed: Readonly<Record<string, { readonly version?: string | undefined }>>,
  place: string,
  name: string,
): string {
  const found = installed[`${place}/node_modules/${name}`] ?? installed[`node_modules/${name}`];
  return found?.version ?? '';
}

describe('licences', () => {
  test.each(['MIT', '(MIT OR GPL-3.0)', 'MIT AND BSD-3-Clause'])('%s is allowed', licence => {
    expect(isAllowed({ name: 'one', licence })).toBe(true);
  });
  test.each(['GPL-3.0', 'MIT AND GPL-3.0', 'SEE LICENSE IN LICENSE', 'none', 'CC-BY-3.0'])(
    '%s is refused',
    licence => {
      expect(isAllowed({ name: 'one', licence })).toBe(false);
    },
  );
});

describe('sizes', () => {
  test('are known for whatever Terraform grants', async () => {
    const grants = Object.values(await grantsOf(ROOT)).flat();
    expect([...new Set(grants)].filter(grant => !(grant in LOADED_WITH))).toEqual([]);
    const modules = Object.values(LOADED_WITH).flat();
    expect(modules.filter(module => !existsSync(resolve(ROOT, module)))).toEqual([]);
  });

  test('count each file once, however many import it', () => {
    const shared = { path: 'shared.js', kind: 'import-statement' } as const;
    const output = { inputs: {}, exports: [], bytes: 1000 };
    const metafile = {
      inputs: {},
      outputs: {
        'index.js': { ...output, entryPoint: 'functions/index.ts', imports: [shared] },
        'shared.js': { ...output, bytes: 5000, imports: [] },
        'pubsub.js': { ...output, entryPoint: 'functions/google/packages/pubsub.ts', imports: [shared] },
      },
    };
    const sizes = sizesOf(metafile, { notify: [], sweep: ['events', 'commands'] });
    expect(printSizes(sizes)).toBe(
      [
        '| function | at its start | with all it may use |',
        '| --- | ---: | ---: |',
        '| `notify` | 6 kB | 6 kB |',
        '| `sweep` | 6 kB | 7 kB |',
      ].join('\n'),
    );
    const startup = { start: { ms: 100.4, rssMb: 80 }, most: { ms: 300, rssMb: 120.6 } };
    expect(printSizes(sizes.slice(1), new Map([['sweep', startup]])).split('\n')[2]).toBe(
      '| `sweep` | 6 kB | 100 ms | 80 MB | 7 kB | 300 ms | 121 MB |',
    );
  });
});
