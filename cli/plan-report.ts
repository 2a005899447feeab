import { percent, span } from '../functions/rollout/wording.ts';
import { detectionTable } from './detection-table.ts';
import { type Painter, printable } from './output.ts';
import type { PlannedStep, ServicePlan, WavePlan } from './plan.ts';

export interface PlanReport {
  /** What would be pushed: `HOST/REPOSITORY:TAG@DIGEST`. */
  readonly image: string | undefined;
  readonly plans: readonly ServicePlan[];
  /** Why the image is not judged; undefined when it is. */
  readonly notVerified: string | undefined;
  /** Without them nothing is known of what runs now. */
  readonly hasRecords: boolean;
}

/** What a push would do, service by service. */
export function planReport(report: PlanReport, paint: Painter): string[] {
  const { image, plans, hasRecords } = report;
  const services = plans.flatMap(plan => [...servicePlan(plan, report, paint), '']);
  const unknown = hasRecords
    ? []
    : ['Without --project, --local or SLIPWAY_STORE what runs now, freezes and quarantine are not known.'];
  return [...(image === undefined ? [] : [`A push of ${image}`, '']), ...services, ...unknown];
}

function servicePlan(plan: ServicePlan, report: PlanReport, paint: Painter): string[] {
  const { outcome, waves, holds, detection } = plan;
  const isMeant = !outcome || outcome.rollsOut || plan.verdict !== undefined;
  return [
    `${paint('bold', plan.service)}${outcome ? `: ${outcomeText(plan, paint)}` : ''}`,
    ...(isMeant && report.image !== undefined ? verification(plan, report, paint) : []),
    ...holds.map(hold => `  ${paint('yellow', 'now:')} ${printable(hold)}`),
    ...(isMeant ? waves.flatMap(waveLines) : []),
    ...(isMeant ? ['', ...detectionTable(detection).map(line => `  ${printable(line)}`)] : []),
  ];
}

function outcomeText({ outcome }: ServicePlan, paint: Painter): string {
  if (!outcome) return '';
  const text = printable(outcome.message);
  return outcome.rollsOut ? paint('green', text) : paint('red', `nothing would start: ${text}`);
}

function verification({ verdict }: ServicePlan, { notVerified }: PlanReport, paint: Painter): string[] {
  if (!verdict) return [`  verify: ${paint('yellow', printable(`not done, ${notVerified ?? ''}`))}`];
  if (verdict.status === 'accepted') return [`  verify: ${paint('green', 'accepted')}`];
  return verdict.reasons.flatMap(({ code, message, fix }) => [
    `  verify: ${paint('red', code)}: ${printable(message)}`,
    `          ${paint('dim', 'fix:')} ${printable(fix)}`,
  ]);
}

function waveLines(wave: WavePlan, index: number): string[] {
  const places = wave.targets.map(({ name, place }) => `${name} (${place})`).join(', ');
  const way = [...wave.steps.map(stepText), '100 %'].join(' → ');
  const gates = wave.gates === 0 ? '' : `, and ${wave.gates} that a person ends`;
  return [
    `  wave ${index + 1}: ${printable(places)}`,
    `    ${way}; pauses of ${span(wave.pauseSeconds)}${gates}`,
  ];
}

function stepText({ weight, holdSeconds }: PlannedStep): string {
  if (holdSeconds === undefined) return `${percent(weight / 100)} until promoted`;
  return holdSeconds === 0 ? percent(weight / 100) : `${percent(weight / 100)} for ${span(holdSeconds)}`;
}
