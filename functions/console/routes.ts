import type { Dependencies } from '../dependencies.ts';
import { PHASES, type Phase } from '../rollout/record.ts';
import { assetsIn } from './assets.ts';
import type { Me } from './contract.ts';
import { refuseCrossSite, refuseOtherSites } from './cross-site.ts';
import { giveCommand } from './give.ts';
import { type Answer, type Asked, afterTimeout, bounded, json, Refusal, type Stream } from './http.ts';
import { identifyBy } from './identity.ts';
import { perMinute } from './rate.ts';
import { readRollout, readRollouts, readService, readServices } from './records.ts';
import { openSignals } from './signals.ts';
import { googleTokens } from './tokens.ts';
import { openWatch } from './watch.ts';

/** Answers one request; what it will not do it throws: {@link Refusal} or SlipwayError. */
export type Console = (asked: Asked) => Promise<Answer | Stream>;

const COMMANDS_PER_MINUTE = 30;

/** What one instance of the console keeps: its listeners, and what it has read for several of them. */
export function openConsole(deps: Dependencies): Console {
  const assets = assetsIn();
  const identify = identifyBy(deps.settings.consoleIdentity, googleTokens());
  const rate = perMinute(COMMANDS_PER_MINUTE, deps.nowMs);
  const signals = openSignals(deps);
  const watch = openWatch(deps, afterTimeout);

  async function give(asked: Asked, actor: string): Promise<Answer> {
    refuseCrossSite(asked, deps.settings.consoleUrl);
    const waitSeconds = rate.take(actor);
    if (waitSeconds !== undefined) {
      const message = `${COMMANDS_PER_MINUTE} commands a minute are enough: wait ${waitSeconds} s`;
      throw new Refusal(429, message, { 'retry-after': String(waitSeconds) });
    }
    return json(202, await giveCommand(deps, actor, asked.body));
  }

  async function api(path: string, asked: Asked, actor: string): Promise<Answer | Stream> {
    refuseOtherSites(asked);
    const { query } = asked;
    const text = (name: string) => bounded(query.get(name) ?? '') || undefined;
    if (path === 'commands') return allowing(asked, 'POST', () => give(asked, actor));
    return allowing(asked, 'GET', async () => {
      if (path === 'me') return json(200, { actor, project: deps.settings.project } satisfies Me);
      if (path === 'services') return json(200, await readServices(deps, text('search'), text('after')));
      if (path === 'rollouts') {
        const phases = phasesIn(text('phases'));
        return json(200, await readRollouts(deps, text('service'), text('after'), phases));
      }
      if (path === 'watch') return watch(asked);
      const [, service] = /^services\/([^/]+)$/.exec(path) ?? [];
      if (service !== undefined) return json(200, await readService(deps, bounded(decode(service))));
      const [, rollout, isSignals] = /^rollouts\/([^/]+)(\/signals)?$/.exec(path) ?? [];
      if (rollout === undefined) throw new Refusal(404, `the console has no api/${path}`);
      const id = bounded(decode(rollout));
      return json(200, isSignals ? await signals(id, text('minutes')) : await readRollout(deps, id));
    });
  }

  return async asked => {
    const actor = await identify(asked);
    const { path } = asked;
    if (path.startsWith('/api/')) return api(path.slice('/api/'.length), asked, actor);
    const isPage = path === '/' || /^\/(services|rollouts)\/[^/]/.test(path);
    return allowing(asked, 'GET', () => assets(isPage ? 'index.html' : decode(path.slice(1)), asked));
  };
}

async function allowing<T>({ method }: Asked, wanted: 'GET' | 'POST', answer: () => Promise<T>): Promise<T> {
  if (method === wanted || (wanted === 'GET' && method === 'HEAD')) return answer();
  const allow = wanted === 'GET' ? 'GET, HEAD' : 'POST';
  throw new Refusal(405, `expected ${allow}, found ${method}`, { allow });
}

function phasesIn(text: string | undefined): Phase[] {
  const wanted = text?.split(',') ?? [];
  const phases = PHASES.filter(phase => wanted.includes(phase));
  if (phases.length === new Set(wanted).size) return phases;
  throw new Refusal(400, `expected phases among ${PHASES.join(', ')}`);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Refusal(400, 'the address is not percent-encoded UTF-8');
  }
}
