import { SlipwayError } from '../../functions/errors.ts';
import { METRIC_LAG_SECONDS } from '../../functions/rollout/detection.ts';
import type { Service } from '../../functions/rollout/policy.ts';
import { data, type Format } from '../data.ts';
import { type Answer, painter, type Terminal } from '../output.ts';
import { policyFileOf, readPolicy, readText } from '../policy-file.ts';
import { readTraffic } from '../replay/read.ts';
import { readRecord, recordedTraffic } from '../replay/record.ts';
import { type Replays, replayData, replayText } from '../replay/report.ts';
import { type Replayed, replayRollout } from '../replay/simulate.ts';
import type { Traffic } from '../replay/traffic.ts';

export interface ReplayOptions {
  /** A rollout's record in place of the file. */
  readonly rollout?: string | undefined;
  readonly policy?: string | undefined;
  readonly service?: string | undefined;
  /** Seconds. */
  readonly lag?: number | undefined;
  /** Seconds. */
  readonly gate: number;
  readonly output: Format;
}

const ANSWERS: Readonly<Record<Replayed['outcome'], Answer>> = {
  promoted: 'yes',
  stopped: 'no',
  waiting: 'unknown',
  unknown: 'unknown',
};

/** `slipway replay`: what a policy would have done with requests that were recorded or written down. */
export async function replay(
  file: string | undefined,
  options: ReplayOptions,
  terminal: Terminal,
): Promise<Answer> {
  const policyFile = policyFileOf(options.policy, terminal.env);
  const { service, traffic, isSeen } = await sourceOf(file, options, policyFile);
  const lagMs = (options.lag ?? (isSeen ? 0 : METRIC_LAG_SECONDS)) * 1000;
  const rules = { lagMs, gateMs: options.gate * 1000 };
  const isJudged = service.judge !== 'off';
  const replays: Replays = {
    service,
    about: `${policyFile} with ${file ?? options.rollout}: ${traffic().description}`,
    ...rules,
    whole: replayRollout(service, traffic(), { ...rules, alertsAct: true }),
    judged: isJudged ? replayRollout(service, traffic(), { ...rules, alertsAct: false }) : undefined,
    alerted: replayRollout({ ...service, judge: 'off' }, traffic(), { ...rules, alertsAct: false }),
  };
  terminal.out(
    options.output === 'text'
      ? replayText(replays, painter(terminal), terminal.columns)
      : await data(replayData(replays), options.output),
  );
  return ANSWERS[replays.whole.outcome];
}

interface Source {
  readonly service: Service;
  /** From the beginning, each time. */
  readonly traffic: () => Traffic;
  /** Whether it is what the judge saw, at the time when it saw it. */
  readonly isSeen: boolean;
}

async function sourceOf(
  file: string | undefined,
  options: ReplayOptions,
  policyFile: string,
): Promise<Source> {
  if ((file === undefined) === (options.rollout === undefined)) {
    throw usage('expected a file with requests, or --rollout with a record: one of them.');
  }
  const { services } = await readPolicy(policyFile);
  if (options.rollout !== undefined) {
    const record = readRecord(await readText(options.rollout), options.rollout);
    const service = serviceNamed(services, options.service ?? record.service, policyFile);
    return { service, traffic: () => recordedTraffic(record, service), isSeen: true };
  }
  const source = await readText(file ?? '');
  const service = serviceNamed(services, options.service, policyFile);
  return { service, traffic: () => readTraffic(source, file ?? '', service), isSeen: false };
}

function serviceNamed(services: readonly Service[], name: string | undefined, policyFile: string): Service {
  const [found, another] = services.filter(service => name === undefined || service.name === name);
  if (found && !another) return found;
  const names = services.map(service => service.name).join(', ') || 'none';
  throw usage(
    name === undefined
      ? `${policyFile} has several services or none (${names}); --service names one.`
      : `${policyFile} has no service "${name}"; its services: ${names}. --service names one.`,
  );
}

function usage(message: string): SlipwayError {
  return new SlipwayError(message, { code: 'InvalidArgument', operation: 'replay' });
}
