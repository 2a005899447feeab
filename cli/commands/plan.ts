import { SlipwayError } from '../../functions/errors.ts';
import { formatReference, imageOf, type Reference } from '../../functions/image/reference.ts';
import type { Verdict } from '../../functions/image/verdict.ts';
import { type Service, tagMatches } from '../../functions/rollout/policy.ts';
import { data, type Format } from '../data.ts';
import { checkImage, referenceOf } from '../image-check.ts';
import { type Answer, lines, painter, type Terminal } from '../output.ts';
import { nothingOnRecord, type OnRecord, type PlannedPush, planService } from '../plan.ts';
import { planReport } from '../plan-report.ts';
import { policyFileOf, readPolicy } from '../policy-file.ts';
import { onRecord, readStore } from '../store.ts';

export interface PlanOptions {
  readonly policy?: string | undefined;
  readonly service?: string | undefined;
  readonly requestsPerSecond?: number | undefined;
  readonly stableErrorRatio?: number | undefined;
  readonly verify: boolean;
  readonly insecure?: boolean | undefined;
  readonly timeoutMs: number;
  readonly output: Format;
}

/** `slipway plan`: what a push of this image would do now. Changes nothing. */
export async function plan(
  text: string | undefined,
  options: PlanOptions,
  terminal: Terminal,
): Promise<Answer> {
  const file = policyFileOf(options.policy, terminal.env);
  const services = chosen((await readPolicy(file)).services, options.service, file);
  const reference = text === undefined ? undefined : referenceOf(text);
  const looked = reference && (await look(reference, services, options, terminal));
  const nowMs = Date.now();
  const pinned = looked?.digest && reference?.tag ? { digest: looked.digest, tag: reference.tag } : undefined;
  const records = await readRecords(services, pinned, terminal);
  const plans = services.map((service, index) =>
    planService(
      service,
      reference && pushOf(reference, looked, service.name),
      records?.[index] ?? nothingOnRecord(service.name),
      { requestsPerSecond: options.requestsPerSecond, stableErrorRatio: options.stableErrorRatio },
      nowMs,
    ),
  );
  const image =
    reference && formatReference({ ...reference, ...(looked?.digest ? { digest: looked.digest } : {}) });
  const report = { image, plans, notVerified: looked?.problem, hasRecords: records !== undefined };
  terminal.out(
    options.output === 'text'
      ? lines(planReport(report, painter(terminal)))
      : await data(report, options.output),
  );
  if (looked?.isFailure) return 'unknown';
  return reference && !plans.some(one => one.outcome?.rollsOut) ? 'no' : 'yes';
}

function chosen(services: readonly Service[], name: string | undefined, file: string): readonly Service[] {
  const found = services.filter(service => name === undefined || service.name === name);
  if (found.length > 0 || name === undefined) return found;
  const names = services.map(service => service.name).join(', ') || 'none';
  throw new SlipwayError(`${file} has no service "${name}"; its services: ${names}.`, {
    code: 'NotFound',
    operation: 'find the service',
  });
}

interface Looked {
  readonly digest: string | undefined;
  /** By the name of the service. */
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** Why there are no verdicts. */
  readonly problem: string | undefined;
  readonly isFailure: boolean;
}

/** A registry that cannot be reached leaves a plan without verdicts. */
async function look(
  reference: Reference,
  services: readonly Service[],
  options: PlanOptions,
  terminal: Terminal,
): Promise<Looked> {
  const unseen = { digest: reference.digest, verdicts: new Map<string, Verdict>() };
  const matching = services.filter(
    ({ image, tags }) =>
      image === imageOf(reference) && reference.tag !== undefined && tagMatches(tags, reference.tag),
  );
  if (matching.length === 0) return { ...unseen, problem: 'no service rolls it out', isFailure: false };
  if (!options.verify) return { ...unseen, problem: 'as --no-verify asks', isFailure: false };
  try {
    const rules = matching.map(service => service.verify);
    const { digest, verdicts } = await checkImage(reference, rules, options, terminal);
    const byService = matching.flatMap(({ name }, index) => {
      const verdict = verdicts[index];
      return verdict ? [[name, verdict] as const] : [];
    });
    return { digest, verdicts: new Map(byService), problem: undefined, isFailure: false };
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    return { ...unseen, problem: error.message, isFailure: true };
  }
}

function pushOf(reference: Reference, looked: Looked | undefined, service: string): PlannedPush {
  return {
    image: imageOf(reference),
    tag: reference.tag,
    digest: looked?.digest,
    verdict: looked?.verdicts.get(service),
  };
}

async function readRecords(
  services: readonly Service[],
  push: { digest: string; tag: string } | undefined,
  terminal: Terminal,
): Promise<OnRecord[] | undefined> {
  const { env } = terminal;
  if (!env['SLIPWAY_STORE'] && !env['GOOGLE_CLOUD_PROJECT']) return undefined;
  return readStore(terminal, 'the records', async store => {
    const records: OnRecord[] = [];
    for (const { name } of services) records.push(await onRecord(store, name, push));
    return records;
  });
}
