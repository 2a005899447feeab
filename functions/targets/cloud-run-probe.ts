import type { Api, CloudRunContext } from './cloud-run-api.ts';
import type { Order, Probe, ProbeResult } from './target.ts';

const PROBE_TIMEOUT_MS = 10_000;

/** Asks the canary at the address of its tag. */
export async function probeTag(
  api: Api,
  order: Order,
  probe: Probe,
  context: CloudRunContext,
): Promise<ProbeResult> {
  const service = await api.service();
  const ingress = String(service?.ingress ?? '');
  if (/INTERNAL|NONE|^[234]$/.test(ingress)) {
    return {
      status: 'skipped',
      message: `ingress of ${api.spec.service} is ${ingress}: it cannot be reached from here`,
    };
  }
  const target = service?.trafficStatuses?.find(
    ({ tag, revision }) => tag === 'canary' && revision?.endsWith(order.revision),
  );
  if (!target) return { status: 'again', message: `${order.revision} has no tag yet` };
  if (!target.uri) return { status: 'skipped', message: `the tag of ${order.revision} has no address` };
  const url = new URL(probe.path, target.uri);
  try {
    return judge(await ask(url, service?.uri ?? target.uri, context), probe, url);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { status: 'again', message: `${url} did not answer: ${reason}` };
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
  /** Cloud Run itself turned the request away, not the container. */
  readonly isRefusedByPlatform: boolean;
}

async function ask(url: URL, audience: string, context: CloudRunContext): Promise<Answer> {
  const token = await context.idToken?.(audience);
  const response = await (context.fetch ?? fetch)(url, {
    headers: token ? { authorization: `Bearer ${token}` } : {},
    redirect: 'manual',
    signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
  });
  const challenge = response.headers.get('www-authenticate') ?? '';
  return {
    status: response.status,
    body: await response.text(),
    isRefusedByPlatform: [401, 403].includes(response.status) && challenge.startsWith('Bearer'),
  };
}

function judge(answer: Answer, probe: Probe, url: URL): ProbeResult {
  if (answer.isRefusedByPlatform) {
    return { status: 'skipped', message: `${url} needs roles/run.invoker (${answer.status})` };
  }
  if (answer.status >= 500) return { status: 'failed', message: `${url} answered ${answer.status}` };
  if (probe.expect !== undefined && !answer.body.includes(probe.expect)) {
    return { status: 'failed', message: `${url} answered ${answer.status} without "${probe.expect}"` };
  }
  return { status: 'passed', message: `${url} answered ${answer.status}` };
}
