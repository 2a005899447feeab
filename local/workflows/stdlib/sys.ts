import type { Host, Severity } from '../host.ts';
import { encodeJson } from '../json.ts';
import { failure } from '../raised.ts';
import { isBytes, isMap, type Value } from '../values.ts';
import { type Args, blocking, instant, type StandardFunction } from './function.ts';

export const SYS: Readonly<Record<string, StandardFunction>> = {
  'sys.get_env': instant('name default?', getEnv),
  'sys.log': blocking('data? severity? text? json? timeout?', log),
};

function getEnv(args: Args, host: Host): Value {
  const name = args.string('name');
  const value = host.env(name);
  if (value !== undefined) return value;
  if (args.has('default')) return args.value('default');
  throw failure('KeyError', `environment variable not found: ${name}`);
}

const SEVERITIES: readonly Severity[] = [
  'DEFAULT',
  'DEBUG',
  'INFO',
  'NOTICE',
  'WARNING',
  'ERROR',
  'CRITICAL',
  'ALERT',
  'EMERGENCY',
];

async function log(args: Args, host: Host): Promise<Value> {
  const given = ['data', 'text', 'json'].filter(name => args.given(name) !== undefined);
  const [name] = given;
  if (name === undefined || given.length > 1) {
    throw failure('TypeError', 'sys.log: give exactly one of data, text, json');
  }
  const wanted = args.string('severity', 'DEFAULT');
  const severity = SEVERITIES.find(known => known === wanted);
  if (!severity) throw args.badValue('severity', `must be one of ${SEVERITIES.join(', ')}; got: ${wanted}`);
  host.log(severity, payload(args, name));
  return null;
}

/** A map stays a map (jsonPayload), anything else becomes text (textPayload). */
function payload(args: Args, name: string): string | Value {
  const value = args.value(name);
  if (isBytes(value)) throw args.wrongType(name, 'a number, boolean, string, list or map');
  if (isMap(value) && name !== 'text') return value;
  if (name === 'json') throw args.wrongType(name, 'a map');
  return typeof value === 'string' ? value : encodeJson(value);
}
