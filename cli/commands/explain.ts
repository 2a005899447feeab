import { type Explanation, explain } from '../../functions/rollout/explain.ts';
import { type Link, linksOf } from '../../functions/rollout/links.ts';
import { newServiceState, type Rollout } from '../../functions/rollout/record.ts';
import { data, type Format } from '../data.ts';
import { type Answer, lines, type Painter, painter, printable, type Terminal } from '../output.ts';
import { findRollout } from '../records.ts';
import { readStore } from '../store.ts';

/** `slipway explain`: why a rollout is where it is. */
export async function explainRollout(
  name: string,
  { output }: { readonly output: Format },
  terminal: Terminal,
): Promise<Answer> {
  const { rollout, service } = await readStore(terminal, name, async store => {
    const found = await findRollout(store, name);
    return { rollout: found, service: await store.read('service', found.service) };
  });
  const explanation = explain(rollout, service ?? newServiceState(rollout.service), Date.now());
  const links = linksFor(rollout, terminal.env);
  if (output === 'text') terminal.out(lines(report(rollout, explanation, links, painter(terminal))));
  else terminal.out(await data({ rollout: rollout.id, ...explanation, links }, output));
  return 'yes';
}

function linksFor(rollout: Rollout, env: NodeJS.ProcessEnv): Link[] {
  const consoleUrl = env['SLIPWAY_CONSOLE_URL']?.replace(/\/+$/, '');
  const ours = consoleUrl ? [{ label: 'Console', url: `${consoleUrl}/rollouts/${rollout.id}` }] : [];
  return [...ours, ...googleLinks(rollout, env)];
}

/** What runs on this machine is not in Google's console. */
function googleLinks(rollout: Rollout, env: NodeJS.ProcessEnv): Link[] {
  const project = env['GOOGLE_CLOUD_PROJECT'];
  if (!project || env['SLIPWAY_LOCAL']) return [];
  const services = `https://console.cloud.google.com/monitoring/services?project=${encodeURIComponent(project)}`;
  return [...linksOf(rollout, project), { label: 'Monitoring', url: services }];
}

function report(
  { id }: Rollout,
  { headline, facts }: Explanation,
  links: readonly Link[],
  paint: Painter,
): string[] {
  return [
    paint('bold', printable(headline)),
    ...facts.flatMap(({ about, lines: said }) => [
      '',
      `${about}:`,
      ...said.map(line => `  ${printable(line)}`),
    ]),
    ...(links.length > 0 ? ['', 'More:'] : []),
    ...links.map(({ label, url }) => `  ${printable(label)}: ${printable(url)}`),
    '',
    paint('dim', printable(`What happened: slipway history ${id}`)),
  ];
}
