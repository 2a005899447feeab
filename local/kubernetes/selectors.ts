import { isFields, type KubeObject, type LabelSelector } from './objects.ts';
import { KubeError } from './status.ts';

type Labels = Readonly<Record<string, string>>;
type Test = (labels: Labels) => boolean;

export function matchesLabels(wanted: Labels | undefined, labels: Labels | undefined): boolean {
  return Object.entries(wanted ?? {}).every(([key, value]) => labels?.[key] === value);
}

/** An empty selector matches everything, a missing one nothing: as in the API. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels = {}): boolean {
  if (!selector) return false;
  return (
    matchesLabels(selector.matchLabels, labels) &&
    (selector.matchExpressions ?? []).every(expression => matchesExpression(expression, labels))
  );
}

export function matchesExpression(
  expression: { key: string; operator: string; values?: readonly string[] },
  labels: Labels,
): boolean {
  const value = labels[expression.key];
  const values = expression.values ?? [];
  switch (expression.operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      throw new KubeError('BadRequest', `"${expression.operator}" is not a valid label selector operator`);
  }
}

/** The `labelSelector` parameter: `a=b,c!=d,e in (f,g),h notin (i),j,!k`. */
export function parseLabelSelector(text: string): Test {
  const tests = splitTopLevel(text).map(requirement);
  return labels => tests.every(test => test(labels));
}

function requirement(text: string): Test {
  const set = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(text);
  if (set) {
    const [, key = '', operator, list = ''] = set;
    const values = list.split(',').map(value => value.trim());
    return labels => matchesExpression({ key, operator: operator === 'in' ? 'In' : 'NotIn', values }, labels);
  }
  const pair = /^([^=!\s]+)\s*(==|=|!=)\s*(\S*)$/.exec(text);
  if (pair) {
    const [, key = '', operator, value = ''] = pair;
    return labels =>
      matchesExpression({ key, operator: operator === '!=' ? 'NotIn' : 'In', values: [value] }, labels);
  }
  const presence = /^(!?)([^=!\s]+)$/.exec(text);
  if (presence) {
    const [, not, key = ''] = presence;
    return labels => (labels[key] === undefined) === (not === '!');
  }
  throw new KubeError('BadRequest', `unable to parse requirement: found '${text}'`);
}

function splitTopLevel(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map(part => part.trim())
    .filter(part => part !== '');
}

/** The `fieldSelector` parameter, for any field that holds a scalar: `metadata.name=a,status.phase!=Running`. */
export function parseFieldSelector(text: string): (object: KubeObject) => boolean {
  const tests = splitTopLevel(text).map(part => {
    const match = /^([^=!]+)(==|=|!=)(.*)$/.exec(part);
    if (!match) throw new KubeError('BadRequest', `invalid field selector: "${part}"`);
    const [, path = '', operator, value = ''] = match;
    return (object: KubeObject) => (fieldAt(object, path) === value) === (operator !== '!=');
  });
  return object => tests.every(test => test(object));
}

function fieldAt(object: KubeObject, path: string): string {
  let value: unknown = object;
  for (const name of path.split('.')) value = isFields(value) ? value[name] : undefined;
  return value === undefined || value === null ? '' : String(value);
}
