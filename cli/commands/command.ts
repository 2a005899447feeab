import { randomUUID } from 'node:crypto';
import { access } from 'node:fs/promises';
import type { CommandMessage } from '../../functions/google/commands.ts';
import type { Rollout } from '../../functions/rollout/record.ts';
import type { Store } from '../../functions/store/store.ts';
import { actorOf } from '../actor.ts';
import { type CommandReport, commandReport } from '../command-report.ts';
import { data, type Format } from '../data.ts';
import { candidates, outcomeOf, type SentCommand } from '../outcome.ts';
import { type Answer, lines, painter, printable, type Terminal } from '../output.ts';
import { policyFileOf, readPolicy } from '../policy-file.ts';
import { withProgress } from '../progress.ts';
import { interruption, lookEveryMs, poll } from '../records.ts';
import { withStore } from '../store.ts';

/** What a person asks for, before it is known whose service it is. */
export type Wanted =
  | { readonly command: 'promote'; readonly full?: boolean; readonly gate?: string }
  | { readonly command: 'pause' | 'resume' | 'abort' | 'undo' | 'retry' | 'freeze' | 'unfreeze' }
  | { readonly command: 'rollout'; readonly digest: string; readonly tag?: string }
  | { readonly command: 'drain' | 'undrain'; readonly target: string };

export interface CommandOptions {
  readonly reason?: string | undefined;
  readonly actor?: string | undefined;
  readonly topic?: string | undefined;
  readonly wait: boolean;
  readonly timeoutMs: number;
  readonly output: Format;
}

/** Gives a command, and waits until the record shows what came of it. */
export async function giveCommand(
  name: string,
  wanted: Wanted,
  options: CommandOptions,
  terminal: Terminal,
): Promise<Answer> {
  return withStore(terminal, async store => {
    const [named, actor] = await Promise.all([
      store.read('rollout', name),
      options.actor ?? actorOf(terminal.env),
    ]);
    const service = named?.service ?? name;
    const { rollouts } = await candidates(store, { service, rollout: named?.id }, 1);
    const command = commandFor(wanted, { service, rollout: named?.id, actor, reason: options.reason });
    const topic = options.topic ?? (await topicFor(service, rollouts, terminal.env));
    const waited = await sendAndWait(store, topic, command, options, terminal);
    const report: CommandReport = { command, topic, waited };
    await print(report, options, terminal);
    return answerOf(report);
  });
}

interface Given {
  readonly service: string;
  readonly rollout: string | undefined;
  readonly actor: string;
  readonly reason: string | undefined;
}

function commandFor(wanted: Wanted, { service, rollout, actor, reason }: Given): SentCommand {
  const isOfService =
    wanted.command === 'freeze' || wanted.command === 'unfreeze' || wanted.command === 'rollout';
  return {
    ...wanted,
    id: `cli-${randomUUID()}`,
    service,
    actor,
    ...(rollout === undefined || isOfService ? {} : { rollout }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** As today's policy has it where it is at hand, else as the newest rollout had it. */
async function topicFor(
  service: string,
  [newest]: readonly Rollout[],
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const file = policyFileOf(undefined, env);
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  const policy = isThere ? await readPolicy(file).catch(() => undefined) : undefined;
  const spec = policy?.services.find(one => one.name === service) ?? newest?.spec;
  return spec?.commandsTopic ?? 'rollout-commands';
}

async function send(topic: string, command: CommandMessage, { env }: Terminal): Promise<void> {
  const { dependenciesFrom } = await import('../../functions/dependencies.ts');
  try {
    await dependenciesFrom(env).sendCommand(topic, command);
  } catch (error) {
    const { advised } = await import('../google-access.ts');
    const project = env['GOOGLE_CLOUD_PROJECT'] ?? '';
    throw advised(error, { project, role: 'roles/pubsub.publisher', what: topic });
  }
}

/** Once it is being sent, Ctrl-C ends the waiting only: whoever pressed it learns whether it was sent. */
async function sendAndWait(
  store: Store,
  topic: string,
  command: SentCommand,
  { wait, timeoutMs }: CommandOptions,
  terminal: Terminal,
): Promise<CommandReport['waited']> {
  const interrupted = interruption(terminal);
  const what = printable(`${command.command} ${command.service}`);
  try {
    await withProgress(
      terminal,
      () => `sending ${what}`,
      () => send(topic, command, terminal),
    );
    if (!wait) return undefined;
    const signal = AbortSignal.any([interrupted.signal, AbortSignal.timeout(timeoutMs)]);
    const outcome = await withProgress(
      terminal,
      () => `sent ${what}, waiting for what comes of it`,
      () =>
        poll(
          () => outcomeOf(store, command),
          one => one !== undefined,
          { everyMs: lookEveryMs(terminal.env) / 2, signal },
        ),
    );
    return outcome ?? (interrupted.signal.aborted ? 'interrupted' : 'late');
  } finally {
    interrupted.end();
  }
}

async function print(report: CommandReport, { output }: CommandOptions, terminal: Terminal): Promise<void> {
  const { out, err } = commandReport(report, painter(terminal));
  if (output === 'text') terminal.out(lines(out));
  else terminal.out(await data(forPrograms(report), output));
  terminal.err(lines(err));
}

function forPrograms({ command, topic, waited }: CommandReport) {
  if (waited === undefined || typeof waited === 'string')
    return { command, topic, outcome: waited ?? 'sent' };
  const rollout = waited.rollout && { id: waited.rollout.id, phase: waited.rollout.phase };
  return waited.is === 'done'
    ? { command, topic, outcome: 'done', rollout, entry: waited.entry }
    : { command, topic, outcome: 'refused', rollout, why: waited.why };
}

function answerOf({ waited }: CommandReport): Answer {
  if (waited === undefined) return 'yes';
  if (waited === 'interrupted') return 'interrupted';
  if (waited === 'late') return 'unknown';
  return waited.is === 'done' ? 'yes' : 'no';
}
