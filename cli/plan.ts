import type { Verdict } from '../functions/image/verdict.ts';
import { type Admission, admit, admitAgain, overtaken, type Push } from '../functions/rollout/admission.ts';
import { type Detection, detect, type ExpectedTraffic } from '../functions/rollout/detection.ts';
import { holdOf } from '../functions/rollout/holds.ts';
import { type Service, type TagPattern, tagMatches } from '../functions/rollout/policy.ts';
import { newServiceState, type Rollout, type ServiceState } from '../functions/rollout/record.ts';
import { closedWindow } from '../functions/rollout/windows.ts';

/** What a push would do to one service. */
export interface ServicePlan {
  readonly service: string;
  readonly image: string;
  /** Undefined without an image to plan for. */
  readonly outcome: Outcome | undefined;
  /** Undefined when the image was not looked at, or could not be. */
  readonly verdict: Verdict | undefined;
  /** What keeps the service from moving now; empty when nothing does. */
  readonly holds: readonly string[];
  readonly waves: readonly WavePlan[];
  readonly detection: Detection;
}

export interface Outcome {
  /** Whether a rollout comes of it, now or after what it waits for. */
  readonly rollsOut: boolean;
  readonly message: string;
}

export interface WavePlan {
  readonly targets: readonly { readonly name: string; readonly place: string }[];
  readonly steps: readonly PlannedStep[];
  /** All pauses together, without those that end by a person. */
  readonly pauseSeconds: number;
  /** Pauses that end by a person. */
  readonly gates: number;
}

export interface PlannedStep {
  readonly weight: number;
  /** 0 without a pause; undefined until a person promotes. */
  readonly holdSeconds: number | undefined;
}

/** What is on record about a service; nothing, where no store is configured. */
export interface OnRecord {
  readonly service: ServiceState;
  /** The rollout that this very push made before. */
  readonly known: Rollout | undefined;
  readonly waiting: Rollout | undefined;
}

export function nothingOnRecord(service: string): OnRecord {
  return { service: newServiceState(service), known: undefined, waiting: undefined };
}

/** A pushed image; without a tag nothing starts, without a digest nothing is known about it. */
export interface PlannedPush {
  readonly image: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
  readonly verdict: Verdict | undefined;
}

/** Decides as the functions would at this moment. */
export function planService(
  spec: Service,
  push: PlannedPush | undefined,
  onRecord: OnRecord,
  traffic: ExpectedTraffic,
  nowMs: number,
): ServicePlan {
  return {
    service: spec.name,
    image: spec.image,
    outcome: push && outcomeOf(spec, push, onRecord, nowMs),
    verdict: push?.verdict,
    holds: holdsOn(spec, onRecord.service, nowMs),
    waves: wavesOf(spec),
    detection: detect(spec, traffic),
  };
}

function outcomeOf(spec: Service, push: PlannedPush, onRecord: OnRecord, nowMs: number): Outcome {
  const refusal = whyNotMeant(spec, push);
  if (refusal !== undefined || push.tag === undefined) {
    return { rollsOut: false, message: refusal ?? 'a push without a tag starts nothing' };
  }
  const { image, tag, digest = UNKNOWN_DIGEST, verdict = unchecked(digest) } = push;
  if (verdict.status === 'rejected') return { rollsOut: false, message: 'the image is rejected' };
  const pushed: Push = { image, tag, digest, publishedMs: nowMs };
  const admission = admitted(spec, pushed, verdict, onRecord, nowMs);
  if (!admission) return { rollsOut: false, message: 'the same push was there before, and later' };
  return told(admission, onRecord, nowMs);
}

function whyNotMeant(spec: Service, { image, tag }: PlannedPush): string | undefined {
  if (spec.image !== image) return `it rolls out ${spec.image}`;
  if (tag === undefined || tagMatches(spec.tags, tag)) return undefined;
  return `the tag ${tag} is none of ${spec.tags.map(patternText).join(', ')}`;
}

function patternText(pattern: TagPattern): string {
  return typeof pattern === 'string' ? pattern : `semver ${pattern.semver}`;
}

function admitted(
  spec: Service,
  push: Push,
  verdict: Verdict,
  { service, known, waiting }: OnRecord,
  nowMs: number,
): Admission | undefined {
  return known
    ? admitAgain({ rollout: known, verdict }, push, spec, service, waiting, nowMs)
    : admit(spec, push, verdict, service, waiting, nowMs);
}

/** Of an image that nobody asked the registry for. No rollout is of it. */
const UNKNOWN_DIGEST = 'sha256:unknown';

/** Stands for a verdict that is not there: what follows is true if the image is accepted. */
function unchecked(digest: string): Verdict {
  return { status: 'accepted', digest, mediaType: '', platforms: [], reasons: [] };
}

function told({ rollout, service, displaced }: Admission, { known }: OnRecord, nowMs: number): Outcome {
  const said = rollout.history.at(-1)?.message ?? rollout.message;
  const begins = rollout.phase === 'Pending' && (known === undefined || rollout.attempt > known.attempt);
  if (!begins) return { rollsOut: false, message: said };
  const name = rollout.digest === UNKNOWN_DIGEST ? 'a rollout' : rollout.id;
  if (service.active === rollout.id) {
    const hold = holdOf({ rollout, service }, nowMs);
    const attempt = known ? `, attempt ${rollout.attempt},` : '';
    const message = `${name}${attempt} would start`;
    return { rollsOut: true, message: hold === undefined ? `${message} at once` : `${message}, but ${hold}` };
  }
  const inWay = overtaken({ rollout, service });
  const place = displaced ? `, in the place of ${displaced.id}` : '';
  const message =
    inWay === undefined
      ? `${name} would wait for ${service.active} to end${place}`
      : `${inWay} would be rolled back to make way for ${name}${place}`;
  return { rollsOut: true, message };
}

function holdsOn(spec: Service, state: ServiceState, nowMs: number): string[] {
  const window = closedWindow(spec.windows, nowMs);
  const frozen = state.frozen && `frozen by ${state.frozen.by}${because(state.frozen.reason)}`;
  const busy = state.active && `busy with ${state.active}`;
  const waiting = state.waiting && `${state.waiting} waits for its turn`;
  const closed = window && `freeze window ${window}`;
  const quarantined = Object.keys(state.quarantine).length;
  const quarantine = quarantined > 0 ? `${quarantined} digests in quarantine` : undefined;
  return [closed, frozen, busy, waiting, quarantine].flatMap(one => one ?? []);
}

function because(reason: string | undefined): string {
  return reason ? ` (${reason})` : '';
}

function wavesOf({ strategy, targets }: Service): WavePlan[] {
  const steps: PlannedStep[] = [];
  let gates = 0;
  let pauseSeconds = 0;
  for (const step of strategy.steps) {
    if ('setWeight' in step) {
      steps.push({ weight: step.setWeight, holdSeconds: 0 });
      continue;
    }
    const { duration } = step.pause;
    if (duration === undefined) gates++;
    pauseSeconds += duration ?? 0;
    const last = steps.pop();
    if (!last) continue;
    const hasEnd = last.holdSeconds !== undefined && duration !== undefined;
    steps.push({ ...last, holdSeconds: hasEnd ? last.holdSeconds + duration : undefined });
  }
  return strategy.waves.map(members => ({
    targets: targets
      .filter(({ name }) => members.includes(name))
      .map(({ name, cloudRun, gke }) => ({
        name,
        place: cloudRun ? `Cloud Run ${cloudRun.region}` : `GKE ${gke?.cluster.split('/').at(-1) ?? ''}`,
      })),
    steps,
    pauseSeconds,
    gates,
  }));
}
