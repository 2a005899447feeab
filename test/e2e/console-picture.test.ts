import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { realClock } from '../../local/clock.ts';
import { startLoad } from '../../local/dataplane/load.ts';
import { CLIENT_LOCATION_HEADER } from '../../local/dataplane/load-balancer.ts';
import { demoPolicy } from '../../local/demo/policy.ts';
import { setUpExample } from '../../local/example.ts';
import { EXAMPLE_SERVICE } from '../../local/names.ts';
import { findChromium, launchChromium, openTab } from './browser.ts';
import { E2eWorld } from './world.ts';

/**
 * Makes the picture of the README: a real rollout of the example service with users, on the local cloud, at its second
 * step. `SLIPWAY_PICTURE=docs/images/console.png npx vitest run test/e2e/console-picture.test.ts`
 */
const picture = process.env['SLIPWAY_PICTURE'];
const found = findChromium();

const MOST_BYTES = 200_000;

const PLACES = ['us', 'eu', 'asia'];

const policySchema = z.object({ services: z.array(z.record(z.string(), z.unknown())) });

async function exampleServices(): Promise<object[]> {
  const source = await readFile(new URL('../../rollouts.yaml', import.meta.url), 'utf8');
  const slow = demoPolicy(source, { judge: true })
    .replaceAll('duration: 2s', 'duration: 25s')
    .replace('margin: 5', 'margin: 3');
  return policySchema.parse(parse(slow)).services;
}

describe.runIf(picture && !found.missing)('the picture of the console', () => {
  test('shows a rollout in the middle of its first wave', async () => {
    await using stack = new AsyncDisposableStack();
    const world = await E2eWorld.open(await exampleServices());
    stack.defer(() => world.close());
    await setUpExample(world.cloud, {
      availability: 99,
      latency: { thresholdMs: 500, target: 95 },
      windowSeconds: 30,
    });
    await world.push({ service: EXAMPLE_SERVICE, tag: 'v1.0.0', env: { FAIL_RATIO: '0.002' } });
    await world.until(EXAMPLE_SERVICE, 'v1.0.0');
    const { loadBalancer, gateway } = world.cloud.urls;
    let turn = 0;
    const headers = () => ({ [CLIENT_LOCATION_HEADER]: PLACES[turn++ % PLACES.length] ?? '' });
    const loads = [
      startLoad({ clock: realClock, url: loadBalancer, ratePerSecond: 160, headers }),
      startLoad({ clock: realClock, url: gateway, ratePerSecond: 80 }),
    ];
    stack.defer(() => Promise.all(loads.map(load => load.stop())).then(() => undefined));
    await world.push({ service: EXAMPLE_SERVICE, tag: 'v1.1.0', env: { FAIL_RATIO: '0.004' } });
    const { id } = await world.until(
      EXAMPLE_SERVICE,
      'v1.1.0',
      ({ position, judgement, pause }) =>
        position.step === 3 &&
        (judgement?.atMs ?? 0) - (pause?.openedMs ?? Number.POSITIVE_INFINITY) > 10_000,
    );
    const browser = await launchChromium(found.file ?? '');
    stack.defer(() => browser.close());
    const tab = await openTab(browser, world.cloud.functions.urls.console, 'picture');
    await tab.page.goto(`${world.cloud.functions.urls.console}/rollouts/${id}`);
    await tab.page.getByText('Loading').first().waitFor({ state: 'detached' });
    const bytes = await tab.page.screenshot({ path: picture ?? '' });
    expect(bytes.length).toBeLessThan(MOST_BYTES);
    expect(tab.offences).toEqual([]);
  });
});
